// Everything a page may send to another site, each way once. Resolves to what the page could see of the answers.
async ({target, mutations, reports}) => {
  const seen = [];
  const note = (way, what) => seen.push(`${way}: ${what}`);
  const soon = (way, promise) => Promise.race([
    promise.then(what => note(way, what), error => note(way, error.name ?? "error")),
    new Promise(done => setTimeout(done, 5000)),
  ]);
  const loaded = (tag, attributes) => new Promise(done => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.onload = () => done("loaded");
    element.onerror = () => done("blocked");
    document.body.append(element);
  });
  const submit = (action, attributes, fields) => {
    const frame = Object.assign(document.createElement("iframe"), {name: `frame${Math.random()}`});
    const form = Object.assign(document.createElement("form"), {action, target: frame.name, ...attributes});
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement("input"), {name, value}));
    }
    document.body.append(frame, form);
    form.submit();
  };
  const answer = (way, url, options) => soon(way, fetch(url, options).then(
    async response => response.type === "opaque" ? "sent" : `read ${response.status} ${await response.text()}`));
  const waiting = [];
  for (const query of mutations) {
    const url = `${target}/graphql?query=${encodeURIComponent(query)}`;
    const json = JSON.stringify({query});
    waiting.push(
      soon("img", loaded("img", {src: url})),
      soon("script", loaded("script", {src: url})),
      soon("stylesheet", loaded("link", {rel: "stylesheet", href: url})),
      soon("prefetch", loaded("link", {rel: "prefetch", href: url})),
      answer("GET", url),
      answer("GET no-cors", url, {mode: "no-cors"}),
      answer("GET without referrer", url, {mode: "no-cors", referrerPolicy: "no-referrer", credentials: "include"}),
      answer("POST in the query", url, {method: "POST", mode: "no-cors"}),
      answer("POST json", `${target}/graphql`, {method: "POST", body: json, headers: {"Content-Type": "application/json"}}),
    );
    for (const type of ["text/plain", "text/plain; application/json", "application/json", "application/x-www-form-urlencoded"]) {
      waiting.push(answer(`POST ${type}`, `${target}/graphql`,
        {method: "POST", mode: "no-cors", body: json, headers: {"Content-Type": type}}));
      try { note(`beacon ${type}`, navigator.sendBeacon(`${target}/graphql`, new Blob([json], {type}))); } catch { }
    }
    waiting.push(answer("POST typeless blob", `${target}/graphql`, {method: "POST", mode: "no-cors", body: new Blob([json])}));
    submit(`${target}/graphql`, {method: "GET"}, {query});
    submit(`${target}/graphql`, {method: "POST"}, {query});
    submit(`${target}/graphql`, {method: "POST", enctype: "multipart/form-data"}, {query});
    submit(`${target}/graphql`, {method: "POST", enctype: "text/plain"}, {[json.slice(0, -1) + ',"x":"']: '"}'});
    const frame = Object.assign(document.createElement("iframe"), {src: url, sandbox: "allow-scripts"});
    document.body.append(frame);
    window.open(url);
    new EventSource(url);
  }
  for (const report of reports) {
    waiting.push(answer("report", `${target}/${report}`, {method: "POST", mode: "no-cors"}));
    note("beacon report", navigator.sendBeacon(`${target}/${report}`));
    submit(`${target}/${report}`, {method: "POST"}, {});
  }
  waiting.push(soon("WebSocket", new Promise(done => {
    const socket = new WebSocket(`${target.replace("http", "ws")}/graphql`, "graphql-ws");
    socket.onopen = () => socket.send(JSON.stringify({type: "connection_init"}));
    socket.onmessage = message => done(`read ${message.data}`);
    socket.onerror = () => done("blocked");
  })));
  waiting.push(answer("GET page", `${target}/runs`), answer("GET info", `${target}/server_info`));
  await Promise.all(waiting);
  await new Promise(done => setTimeout(done, 1500));  // forms, frames and windows have no promise
  return seen;
}
