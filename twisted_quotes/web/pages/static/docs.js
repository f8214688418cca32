"use strict";

/* Adds a button to each command that copies it. */

async function copyText(element) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(element.textContent);
    return;
  }
  // Browsers have no clipboard API on plain HTTP, except for localhost.
  getSelection().selectAllChildren(element);
  document.execCommand("copy");
}

for (const command of document.querySelectorAll("pre.command > code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await copyText(command);
    button.textContent = "Copied";
  });
  command.parentElement.after(button);
}
