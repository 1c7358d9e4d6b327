// What the browser around the page prefers and does.

// Swagger UI's own dark style goes by a class.
export function followColours() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
}

// Swagger UI's copy buttons say nothing. A copy that a click on one of them caused is over when the click arrives here.
export function announceCopies(announce) {
  let copied = false;
  document.addEventListener("copy", () => { copied = true; }, true);
  document.addEventListener("click", () => { copied = false; }, true);
  document.addEventListener("click", (event) => {
    if (copied && event.target.closest(".copy-to-clipboard")) announce();
  });
}
