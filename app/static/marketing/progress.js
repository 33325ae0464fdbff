// While a campaign is being sent its page counts by itself; without this it counts when it is opened again.
const EVERY_MS = 3000;
const live = () => document.querySelector("#campaign[data-live]");

async function look() {
  const shown = live();
  const answer = await fetch(shown.dataset.live, { headers: { "X-Requested-With": "fetch", Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.getElementById("campaign")?.dataset.state !== shown.dataset.state) return location.reload();
  const [old, fresh] = [document, page].map((one) => one.getElementById("progress"));
  if (old && fresh) old.replaceWith(fresh);
}

if (live()) setInterval(() => document.hidden || look().catch(() => {}), EVERY_MS);
