// Reads each timeline every 400 ms, as readers would, and asks twice a second how the processes are.
"use strict";

const READ = 400;
const users = ["alice", "bob", "carol", "dave", "erin", "frank"];
const tiers = { local: ["memory", "memory"], shared: ["shared", "shared tier"], fetched: ["body", "body"], empty: ["empty", "empty"] };
const byId = (id) => document.getElementById(id);
const grouped = (number) => number.toLocaleString("en-US");
const cards = new Map();
let lifetime = 3000;
let newest = {};

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const callTime = (us) => (us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(1)} ms`);

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

async function post(path, button) {
  button.disabled = true;
  try {
    const answer = await fetch(path, { method: "POST" });
    if (!answer.ok) say(byId("trouble"), await answer.text());
  } catch {
    say(byId("trouble"), "The sandbox has ended.");
  } finally {
    button.disabled = false;
  }
}

function addCard(user) {
  const card = byId("card").content.firstElementChild.cloneNode(true);
  card.dataset.user = user;
  say(card.querySelector(".user"), user);
  say(card.querySelector(".state"), "not read yet");
  for (const change of ["invalidate", "remove", "refresh"]) {
    const button = card.querySelector(`.${change}`);
    button.setAttribute("aria-label", `${button.textContent} the timeline of ${user}`);
    button.addEventListener("click", () => post(`/timelines/${user}/${change}`, button));
  }
  byId("cards").append(card);
  cards.set(user, card);
}

function showAnswer(user, { process, status, source, age_ms: age, took_us: took, timeline }) {
  const card = cards.get(user);
  const [tier, tierName] = tiers[source];
  card.classList.toggle("is-stale", status === "stale");
  card.classList.toggle("is-fresh", status === "fresh" || status === "fetched");
  const shown = timeline.tweets.length ? timeline.tweets[0].number : 0;
  const missing = age === null ? 0 : Math.max(0, (newest[user] ?? shown) - shown);
  const word = age === null ? "empty" : status === "stale" ? "stale" : "fresh";
  say(card.querySelector(".state"), missing ? `${word}, ${missing} newer` : word);

  const part = Math.min((age ?? 0) / lifetime, 1);
  const bar = card.querySelector(".age");
  bar.classList.toggle("younger", part < Number(bar.dataset.part ?? 0));
  bar.dataset.part = part;
  bar.firstElementChild.style.transform = `scaleX(${part})`;

  say(card.querySelector(".process"), process);
  const tierShown = card.querySelector(".tier");
  say(tierShown, tierName);
  tierShown.className = `tier ${tier}`;
  say(card.querySelector(".old"), age === null ? "–" : seconds(age));
  say(card.querySelector(".took"), callTime(took));
  say(card.querySelector(".by"), timeline.fetched_by ? `fetched by ${name(timeline.fetched_by)}` : "not fetched yet");

  const tweets = timeline.tweets.map(({ number, text }) => {
    const tweet = document.createElement("li");
    tweet.append(element("span", "number", `#${number}`), element("span", "", text));
    return tweet;
  });
  if (!tweets.length) tweets.push(element("li", "none", "Nothing yet: the empty value, while the worker fetches."));
  card.querySelector(".tweets").replaceChildren(...tweets);
}

const name = (process) => (process.startsWith("worker") ? process : `web process ${process}`);

function showBody({ user, process, took_ms: took, ago_ms: ago, answered }) {
  const row = document.createElement("li");
  const end = took === null ? ["running", "running"] : answered ? ["", `${took} ms`] : ["cut", "cut off"];
  row.append(element("span", "who", user));
  row.append(element("span", "where", `${name(process)}, ${seconds(ago)} ago`));
  row.append(element("span", end[0], end[1]));
  return row;
}

function showState(state) {
  lifetime = state.lifetime_ms;
  newest = state.newest;
  say(byId("lifetime"), String(lifetime / 1000));
  say(byId("tier"), state.tier);
  say(byId("trouble"), state.connected ? "" : "The second tier does not answer: each process works for itself.");

  const { worker, queue } = state;
  const running = worker ? state.bodies.filter((body) => body.took_ms === null && body.process === worker.name) : [];
  const doing = running.map((body) => body.user).join(" and ");
  byId("worker").classList.toggle("bad", !worker);
  say(byId("worker"), !worker ? "gone" : doing ? "at work" : "idle");
  const done = queue ? `${grouped(queue.done)} jobs done` : "no queue yet";
  const own = state.fallbacks ? `, ${grouped(state.fallbacks)} left to the web processes` : "";
  say(byId("worker-doing"), !worker ? "its jobs wait for another one" : doing ? `fetches ${doing}` : "waits for a job");
  say(byId("worker-note"), `${worker ? `${worker.name}, process ${worker.pid}: ` : ""}${done}${own}`);
  const hire = byId("hire");
  hire.dataset.post = worker ? "/worker/kill" : "/worker/start";
  say(hire, worker ? "Kill the worker" : "Start a worker");

  const waits = queue?.length ?? 0;
  const runs = queue?.under_way ?? 0;
  say(byId("queue"), grouped(waits));
  [...byId("slots").children].forEach((slot, place) => {
    slot.className = place < runs ? "runs" : place < runs + waits ? "waits" : "";
  });
  const oldest = waits && queue.oldest_ms !== null ? `, the oldest for ${seconds(queue.oldest_ms)}` : "";
  say(byId("queue-waits"), `${waits === 1 ? "job waits" : "jobs wait"}${oldest}`);
  const seen = queue?.workers ?? 0;
  say(byId("queue-note"), `${runs} under way; ${seen} ${seen === 1 ? "worker" : "workers"} seen in the last 15 s`);

  byId("bodies").replaceChildren(...state.bodies.slice(0, 6).map(showBody));
  const { answers, origin } = state;
  const calls = answers.memory + answers.shared + answers.body + answers.empty + answers.failed;
  say(byId("calls"), grouped(calls));
  for (const of of ["memory", "shared", "body", "empty", "stale"]) say(byId(of), grouped(answers[of]));
  say(byId("fetches"), grouped(origin.bodies));
  say(byId("slowest"), callTime(answers.slowest_us));
}

// Does the same over and over, with a pause between. Failures are told of, and tried again.
async function every(pause, act) {
  for (;;) {
    try {
      await act();
    } catch (error) {
      say(byId("trouble"), error instanceof TypeError ? "The sandbox has ended, or does not answer." : error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

users.forEach(addCard);
byId("slots").append(...users.map(() => document.createElement("li")));
byId("hire").addEventListener("click", ({ currentTarget }) => post(currentTarget.dataset.post, currentTarget));
every(500, async () => showState(await ask("/state")));
users.forEach((user, place) => {
  setTimeout(() => every(READ, async () => showAnswer(user, await ask(`/timelines/${user}`))), place * READ / users.length);
});
