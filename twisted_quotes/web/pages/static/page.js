// Searching while typing, copying, and the key "/". The pages work without this script.

const SITE_NAME = "Twisted Quotes";
const DEBOUNCE_MS = 120;
const SLOW_MS = 300;
const COPIED_MS = 2000;
const UNREACHABLE =
  "The service cannot be reached. What is on the page stays, and the next key tries again.";
const TOO_LONG = "The search took too long and was stopped: there may be more.";

const main = document.getElementById("main");
const home = new URL(document.querySelector('a[rel="home"]').href).pathname;
const announcer = element("p", { class: "hidden", role: "status" });
main.append(announcer);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The layout of a quote: the rules of quote_layout.py. Positions are in code points.

const MAX_LINES = 400;
const WIDE = 65;
const SLACK = 8;
const LABEL_LENGTH = 3;
const MAX_SHOWN = 2 ** 17;

const size = (text) => [...text].length;
const count = (list, test) => list.filter(test).length;

function makeLine(start, text) {
  const expanded = text.replaceAll("\t", " ".repeat(8));
  const width = size(expanded);
  return {
    text,
    start,
    end: start + size(text),
    width,
    indent: width - size(expanded.trimStart()),
    blanks: text.slice(0, text.length - text.trimStart().length),
  };
}

function layOut(text) {
  const stanzas = splitStanzas(text);
  const lines = stanzas.flat();
  if (lines.length > MAX_LINES || isTable(lines)) {
    return [{ kind: "table", spans: [[0, size(text)]] }];
  }
  const maxWidth = Math.max(...lines.map((line) => line.width));
  let margin = lines[0]?.blanks ?? "";
  for (const line of lines) {
    while (!line.blanks.startsWith(margin)) margin = margin.slice(0, -1);
  }
  return stanzas.flatMap((stanza) => {
    if (isProse(stanza, maxWidth)) {
      return paragraphs(stanza).map((span) => ({ kind: "prose", spans: [span] }));
    }
    const spans = stanza.map((line) => [line.start + margin.length, line.end]);
    return [{ kind: "verse", spans }];
  });
}

function splitStanzas(text) {
  const stanzas = [];
  let stanza = [];
  let start = 0;
  for (const line of `${text}\n`.split("\n")) {
    if (line.trim()) {
      stanza.push(makeLine(start, line.trimEnd()));
    } else if (stanza.length) {
      stanzas.push(stanza);
      stanza = [];
    }
    start += size(line) + 1;
  }
  return stanzas;
}

function isTable(lines) {
  const texts = lines.map((line) => line.text.trim());
  const hasColumns = (text) => /\S(?: {4,}|\t+)\S/.test(text.slice(LABEL_LENGTH));
  if (count(texts, hasColumns) > 1) return true;
  const characters = [...texts.join("").replace(/\s/g, "")];
  const letters = count(characters, (character) => /[\p{L}\p{N}]/u.test(character));
  return lines.length > 2 && letters < 0.6 * characters.length;
}

function isProse(stanza, maxWidth) {
  if (stanza.length === 1) return !stanza[0].indent;
  let pairs = 0;
  let early = 0;
  let lower = 0;
  for (const [index, following] of stanza.slice(1).entries()) {
    const line = stanza[index];
    if (following.indent <= line.indent) {
      const word = following.text.trim().split(/\s/)[0];
      pairs += 1;
      early += line.width + 1 + size(word) <= maxWidth - SLACK;
      lower += /^\p{Lowercase}/u.test(word);
    }
  }
  const isWide = maxWidth >= WIDE && pairs < 3;
  return early * 8 <= pairs && pairs > 0 && (lower * 4 >= pairs || isWide);
}

function paragraphs(stanza) {
  const spans = [];
  let first = stanza[0];
  let last = first;
  for (const line of stanza.slice(1)) {
    if (line.indent > last.indent) {
      spans.push([first.start, last.end]);
      first = line;
    }
    last = line;
  }
  return [...spans, [first.start, last.end]];
}

// The markup of a quote: that of quote_markup.py.

function markMatches(characters, [start, end], matches) {
  const parts = [];
  const part = (from, to) => characters.slice(from, to).join("");
  for (const match of matches) {
    const from = Math.max(match.start, start);
    const to = Math.min(match.end, end);
    if (from < to) {
      parts.push(part(start, from), element("mark", {}, part(from, to)));
      start = to;
    }
  }
  return [...parts, part(start, end)];
}

function renderBlock(characters, { kind, spans }, matches) {
  const parts = spans.map((span) => markMatches(characters, span, matches));
  if (kind === "prose") return element("p", {}, ...parts.flat());
  if (kind === "table") return element("pre", { tabindex: "0" }, ...parts.flat());
  const lines = parts.map((part) => element("span", {}, ...part));
  return element("p", { class: "verse" }, ...lines);
}

const clean = (text) => text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd");
const pageUrl = (parameters) => {
  const query = new URLSearchParams(parameters).toString();
  return query ? `${home}?${query}` : home;
};

function renderAttribution(quote, text, characters) {
  if (!quote.author) return [];
  let position = quote.quotation.length;
  const renderPart = (name) => {
    const at = text.indexOf(name, position);
    if (at < 0) return [name];
    position = at + name.length;
    const start = size(text.slice(0, at));
    return markMatches(characters, [start, start + size(name)], quote.matches);
  };
  const isPhrase = !/["\u201c\u201d\u201e\u201f]/.test(quote.author);
  const query = isPhrase ? { q: `author:"${quote.author}"` } : { author: quote.author };
  const author = renderPart(clean(quote.author));
  const attribution = element("p", { class: "attribution" });
  attribution.append(element("a", { href: pageUrl(query) }, ...author));
  if (quote.work) {
    attribution.append(", ", element("cite", {}, ...renderPart(clean(quote.work))));
  }
  return [attribution];
}

function renderQuote(quote) {
  let text = clean(quote.text);
  let quotation = clean(quote.quotation);
  const rest = [];
  if (quotation.length > MAX_SHOWN) {
    text = quotation = quotation.slice(0, MAX_SHOWN).replace(/\n.*$/, "");
    const href = `${home}api/v2/quotes/${quote.id}`;
    const link = element("a", { href }, "The whole quote");
    rest.push(element("p", { class: "source" }, "This is only the beginning. ", link));
  }
  const characters = [...text];
  const blocks = layOut(quotation).map((each) =>
    renderBlock(characters, each, quote.matches),
  );
  const isHanging = /^\s*["'\u2018\u201c\u201e\xab]/.test(quotation);
  const actions = element(
    "p",
    { class: "actions" },
    element("a", { href: `${home}quotes/${quote.id}`, rel: "bookmark" }, "Link"),
    " ",
    element("button", { type: "button" }, "Copy"),
  );
  return element(
    "article",
    {},
    element("blockquote", isHanging ? { class: "hanging" } : {}, ...blocks),
    element(
      "footer",
      {},
      ...rest,
      ...renderAttribution(quote, text, characters),
      actions,
    ),
  );
}

// Copying.

async function writeToClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS, browsers have only the older way.
  const area = element("textarea", { readonly: "" }, text);
  main.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("not allowed");
}

async function copyQuote(button) {
  const article = button.closest("article");
  const attribution = article.querySelector(".attribution");
  const lines = [article.querySelector("blockquote").innerText];
  if (attribution) lines.push(`\u2014 ${attribution.innerText}`);
  try {
    await writeToClipboard(lines.join("\n"));
    button.textContent = "Copied";
    announcer.textContent = "The quote is copied.";
  } catch {
    button.textContent = "Not copied";
    announcer.textContent = "The browser does not allow to copy the quote.";
  }
  button.focus();
  setTimeout(() => {
    button.textContent = "Copy";
    announcer.textContent = "";
  }, COPIED_MS);
}

main.addEventListener("click", ({ target }) => {
  const button = target.closest("article button");
  if (button) copyQuote(button);
});

// Searching.

function startSearching(form) {
  const status = document.getElementById("status");
  const results = document.getElementById("results");
  const pages = document.getElementById("pages");
  const field = form.elements.q;
  let running = new AbortController();
  let timer = 0;
  // The query of the form that was asked last; null if it is to be asked again.
  let asked = results.childElementCount ? readForm() : null;
  // The last entry of the history that stays.
  let committed = { query: readForm(), url: location.pathname + location.search };
  let firstOffset = Number(new URLSearchParams(location.search).get("offset"));

  function readForm() {
    const entries = [...new FormData(form)].filter(([, value]) => value.trim());
    return new URLSearchParams(entries).toString();
  }

  // Ask the API, instead of what runs. It throws an AbortError when it is dropped, too.
  async function ask(path, isQuiet) {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const say = () => {
      status.textContent = "Searching\u2026";
    };
    const slow = isQuiet ? 0 : setTimeout(say, SLOW_MS);
    try {
      const headers = { Accept: "application/json" };
      const response = await fetch(`${home}api/v2/${path}`, { signal, headers });
      const body = await response.json();
      signal.throwIfAborted();
      if (!response.ok) throw new Error(body.message.replace(/ Instructions: \S+$/, ""));
      return body;
    } finally {
      clearTimeout(slow);
    }
  }

  function explain(error) {
    if (error.name === "AbortError") return;
    asked = null;
    // Without an answer there is a TypeError, for an answer that is not JSON another.
    status.textContent = error.constructor === Error ? error.message : UNREACHABLE;
  }

  function describe(total, shown) {
    const number = (value) => value.toLocaleString("en");
    if (!total) return "Nothing found.";
    if (!shown) return `There are only ${number(total)} quotes.`;
    if (shown === total) return `${number(total)} quote${total > 1 ? "s" : ""}`;
    const first = number(firstOffset + 1);
    return `${first}\u2013${number(firstOffset + shown)} of ${number(total)} quotes`;
  }

  function showPage(body, query) {
    const shown = results.childElementCount;
    status.textContent = describe(body.total, shown);
    if (body.reason === "timeout") status.append(` ${TOO_LONG}`);
    const end = body.offset + body.returned;
    pages.querySelector('[rel="next"]')?.remove();
    if (!body.returned || end >= body.total) return;
    const parameters = new URLSearchParams(query);
    parameters.set("offset", end);
    pages.append(element("a", { rel: "next", href: pageUrl(parameters) }, "More quotes"));
  }

  async function showSuggestions(query) {
    const parameters = new URLSearchParams(query);
    const search = parameters.get("q");
    if (search === null) return;
    parameters.delete("author");
    const { suggestions } = await ask(`suggestions?${parameters}`, true);
    const links = suggestions.flatMap(({ word, nearest }) =>
      nearest.map((other) => {
        const q = search.replaceAll(word, () => other);
        return element("a", { href: pageUrl({ q }) }, other);
      }),
    );
    for (const [index, link] of links.entries()) {
      status.append(index ? ", " : " Did you mean ", link);
    }
    if (links.length) status.append("?");
  }

  async function search(query, offset) {
    asked = query;
    document.title = query ? `${field.value || "Quotes"} \u2013 ${SITE_NAME}` : SITE_NAME;
    try {
      const path = offset ? `quotes?${query}&offset=${offset}` : `quotes?${query}`;
      const body = await ask(query ? path : "quotes/today");
      const quotes = query ? body.quotes : [body];
      results.replaceChildren(...quotes.map(renderQuote));
      results.classList.toggle("featured", !query);
      pages.replaceChildren();
      firstOffset = body.offset;
      if (query) {
        showPage(body, query);
        if (!body.total) await showSuggestions(query);
      } else {
        results.prepend(element("h2", {}, "Quote of the day"));
        status.textContent = "";
      }
    } catch (error) {
      explain(error);
    }
  }

  async function showMore(link) {
    const query = new URL(link.href).searchParams.toString();
    try {
      const body = await ask(`quotes?${query}`);
      const articles = body.quotes.map(renderQuote);
      results.append(...articles);
      showPage(body, query);
      articles[0]?.setAttribute("tabindex", "-1");
      articles[0]?.focus({ preventScroll: true });
    } catch (error) {
      explain(error);
    }
  }

  function update() {
    clearTimeout(timer);
    const query = readForm();
    if (query === asked) return;
    history.replaceState(null, "", pageUrl(query));
    search(query);
  }

  function commit() {
    update();
    const query = readForm();
    if (query === committed.query) return;
    history.replaceState(null, "", committed.url);
    committed = { query, url: pageUrl(query) };
    history.pushState(null, "", committed.url);
  }

  function schedule(event) {
    clearTimeout(timer);
    if (!event?.isComposing) timer = setTimeout(update, DEBOUNCE_MS);
  }

  form.addEventListener("input", schedule);
  form.addEventListener("compositionend", schedule);
  form.addEventListener("change", commit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    commit();
  });

  addEventListener("popstate", () => {
    const parameters = new URLSearchParams(location.search);
    for (const control of form.elements) {
      const values = parameters.getAll(control.name);
      if (control.type === "checkbox") control.checked = values.includes(control.value);
      else if (control.name) control.value = values[0] ?? "";
    }
    clearTimeout(timer);
    committed = { query: readForm(), url: location.pathname + location.search };
    if (committed.query !== asked) search(committed.query, parameters.get("offset"));
  });

  pages.addEventListener("click", (event) => {
    const link = event.target.closest('[rel="next"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showMore(link);
  });

  addEventListener("keydown", (event) => {
    const isTyped = event.target.closest("input, textarea");
    if (event.key !== "/" || isTyped || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  // The field may have been typed in before this script ran.
  if (field.value !== field.defaultValue) schedule();
}

const form = document.getElementById("search");
if (form) startSearching(form);
