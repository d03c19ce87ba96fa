"use strict";

// The page: takes a crop, sends it to /api/search, and shows the answer. Text goes in as text; only the drawing is HTML,
// made by the server's template, in which everything is escaped.

const part = (id) => document.getElementById(id);
let limits = null; // what /api/gallery says
let crop = null; // the file that was chosen last
let running = null; // aborts the search before

function say(text, isError = false) {
  part("status").textContent = text;
  part("status").classList.toggle("error", isError);
}

async function ask(address, options = {}) {
  const answer = await fetch(address, options);
  const values = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok) throw new Error(values.error);
  return values;
}

async function begin() {
  try {
    limits = await ask("api/gallery");
  } catch (error) {
    say(error.message, true);
    return;
  }
  part("gallery").textContent = limits.name;
  document.title = `Find a person in ${limits.name}`;
  const facts = {
    pictures: limits.pictures.toLocaleString("en"),
    method: limits.method,
    threshold: limits.threshold ?? "none: nobody is called unknown",
  };
  for (const [name, value] of Object.entries(facts)) {
    const fact = document.createElement("div");
    fact.append(element("dt", name), element("dd", value));
    part("facts").append(fact);
  }
}

function element(tag, text = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

async function search() {
  running?.abort();
  if (!crop) return;
  if (limits && crop.size > limits.most_bytes) {
    say(`${crop.name} has ${crop.size} bytes, expected ${limits.most_bytes} or fewer`, true);
    return;
  }
  const mine = (running = new AbortController());
  say("Searching …");
  part("result").classList.add("old");
  part("result").setAttribute("aria-busy", "true");
  try {
    const answer = await ask(`api/search?top=${part("top").value}&drawing=true`, {
      method: "POST",
      headers: { "Content-Type": crop.type || "application/octet-stream" },
      body: crop,
      signal: mine.signal,
    });
    show(answer);
    say(`${crop.name}: ${answer.matches.length} ranks. The image was not kept.`);
  } catch (error) {
    if (error.name === "AbortError") return; // a later search has begun
    part("result").hidden = true;
    say(error instanceof TypeError ? "The server cannot be reached, or it refused the image." : error.message, true);
  } finally {
    if (running === mine) {
      part("result").classList.remove("old");
      part("result").removeAttribute("aria-busy");
    }
  }
}

function show(answer) {
  const verdict = { true: "unknown", false: "known" }[answer.unknown] ?? "";
  part("verdict").textContent = verdict;
  part("verdict").className = `tag ${verdict}`;
  part("summary").textContent = {
    unknown: `nobody in the gallery is nearer than ${answer.threshold}`,
    known: `the nearest picture is within ${answer.threshold}; pale ones are beyond`,
  }[verdict] ?? "the nearest pictures";
  part("matches").replaceChildren(...answer.matches.map(card));

  const drawing = answer.drawing === null ? null : new DOMParser().parseFromString(answer.drawing, "text/html");
  part("drawing").replaceChildren(...(drawing?.body.children ?? []));
  part("hint").hidden = part("drawing").querySelector(".block") === null;
  part("remark").textContent = answer.remark ?? "";
  part("explanation").hidden = !answer.drawing && !answer.remark;
  part("result").hidden = false;
}

function card({ rank, distance, within, probability, entry }) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  image.src = entry.thumbnail.slice(1);
  image.alt = `rank ${rank}: ${entry.name}`;
  image.title = entry.id;
  item.append(image, element("b", rank), ` ${distance.toFixed(4)}`);
  const about = [entry.name.split("/").pop()];
  if (probability !== null) about.push(`same person: ${Math.round(100 * probability)} %`);
  if (entry.person > 0) about.push(`person ${entry.person}`);
  if (entry.file !== "as indexed") about.push(entry.file === "changed" ? "file has changed" : "file is missing");
  item.append(...about.map((line) => element("span", line)));
  item.classList.toggle("beyond", within === false);
  return item;
}

function choose(file) {
  if (!file) return;
  crop = file;
  if (part("preview").src) URL.revokeObjectURL(part("preview").src);
  part("preview").src = URL.createObjectURL(file);
  part("preview").alt = `the crop ${file.name}`;
  part("preview").hidden = false;
  search();
}

const drop = part("drop");
part("file").addEventListener("change", (event) => choose(event.target.files[0]));
part("top").addEventListener("change", search);
part("form").addEventListener("submit", (event) => event.preventDefault());
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
drop.addEventListener("dragover", () => drop.classList.add("over"));
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => choose(event.dataTransfer.files[0]));
document.addEventListener("paste", (event) => choose(event.clipboardData.files[0]));
begin();
