// Follows the browser's colour scheme, and reports copies.

// Sets the class that Swagger UI's dark style uses.
export function followColours() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
}

// Reports copies by Swagger UI's copy buttons, which show nothing. The copy of a click is done when the click
// arrives here.
export function announceCopies(announce) {
  let copied = false;
  document.addEventListener("copy", () => { copied = true; }, true);
  document.addEventListener("click", () => { copied = false; }, true);
  document.addEventListener("click", (event) => {
    if (copied && event.target.closest(".copy-to-clipboard")) announce();
  });
}
