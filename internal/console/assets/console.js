// Live updates. Without this file everything works by loading the page again.
// The server says that something changed; the parts of the page that may change are fetched and put in the place of those
// that differ. What a person has opened, chosen or is typing stays.
"use strict";
(() => {
  const sign = document.querySelector(".live");
  const url = document.body.dataset.live;
  if (!sign || !url || !window.EventSource) return;
  const say = (on) => {
    sign.toggleAttribute("data-on", on);
    sign.textContent = on ? sign.dataset.live : sign.dataset.away;
  };
  let busy = false, again = false;
  const withoutTimes = (html) => html.replace(/<time[^>]*>[^<]*<\/time>/g, "");
  const busyWith = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;
  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) { say(false); return; }
      say(true);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-part]")) {
        const next = page.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
        if (!next || next.innerHTML === part.dataset.was || busyWith(part)) continue;
        part.dataset.was = next.innerHTML;
        if (next.innerHTML === part.innerHTML) continue;
        const open = [...part.querySelectorAll("details[open]")].map((d) => d.id).filter(Boolean);
        const checked = [...part.querySelectorAll("input[type=checkbox]:checked")].map((c) => c.value);
        const news = withoutTimes(next.innerHTML) !== withoutTimes(part.innerHTML);
        part.replaceChildren(...next.childNodes);
        for (const id of open) part.querySelector("#" + CSS.escape(id))?.setAttribute("open", "");
        for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked ||= checked.includes(box.value);
        part.classList.remove("fresh");
        void part.offsetWidth;
        if (news) part.classList.add("fresh");
      }
      document.title = page.title;
    } catch { say(false); } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  }
  const source = new EventSource(url);
  source.onopen = () => say(true);
  source.onerror = () => say(false);
  source.onmessage = refresh;
})();
// A box in the head of a table chooses all rows of the page.
document.addEventListener("change", (event) => {
  const all = event.target;
  if (!all.matches?.("[data-choose-all]")) return;
  for (const box of all.closest("table").querySelectorAll("tbody input[type=checkbox]")) box.checked = all.checked;
});
