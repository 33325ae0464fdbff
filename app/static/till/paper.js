// Printing with the browser; without this file its own menu does the same.

document.documentElement.dataset.till = "ready";
document.addEventListener("click", (event) => event.target.closest("[data-print]") && window.print());
