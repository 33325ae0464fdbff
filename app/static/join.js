// The name appears on the card as it is typed. Everything else on this page works without a script.
const field = document.querySelector("#f-name");
const holder = document.querySelector(".card-hero [data-placeholder]");

if (field && holder) {
  const show = () => {
    const name = field.value.trim();
    holder.textContent = name || holder.dataset.placeholder;
    holder.classList.toggle("unnamed", !name);
  };
  field.addEventListener("input", show);
  show();
}

// A second press while the first is on its way would only be slow; the server makes one card of both.
document.querySelector("form.form")?.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button[type=submit]");
  setTimeout(() => button?.setAttribute("aria-disabled", "true"));
});
