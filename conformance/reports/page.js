"use strict";
// A link into a folded chapter unfolds it; a button copies the text before it.
function unfold() {
  const aim = document.getElementById(location.hash.slice(1));
  for (let at = aim; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (aim) aim.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", () => navigator.clipboard
    .writeText(button.parentElement.querySelector("pre").textContent)
    .then(() => { button.textContent = "Copied"; }, () => { button.hidden = true; }));
}
