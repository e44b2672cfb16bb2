// Draws the columns of `relations4d/columns.py` in space: planes above each other, and time by two uniforms of the shader.
// Two draw calls a frame, none without a reason; a step of the slider uploads nothing.
"use strict";
(() => {
  const space = document.getElementById("space");
  if (!space) return;
  const find = name => document.getElementById(`space-${name}`);
  const canvas = find("canvas"), status = find("status"), panel = find("panel"), labels = find("labels");
  const from = find("from"), to = find("to"), mode = find("mode"), step = find("step"), speed = find("speed"), play = find("play");
  const chips = [...space.querySelectorAll("[data-plane]")];
  const words = space.dataset;
  const address = new URL(location.href);
  const VERTEX = `#version 300 es
    layout(location=0) in uvec2 time; layout(location=1) in vec2 place; layout(location=2) in uvec4 kind; layout(location=3) in uint lit;
    uniform mat4 view; uniform uvec2 range; uniform bool isWindow, isEdge, hasFocus; uniform uint planes; uniform uvec2 slab;
    uniform vec3 colours[10]; uniform float alpha, scale; out vec4 colour;
    void main() {
      bool seen = time.x <= range.y && (!isWindow || time.y >= range.x) && min(kind.x, kind.y) >= slab.x && max(kind.x, kind.y) <= slab.y;
      bool bright = (planes >> kind.x & planes >> kind.y & 1u) == 1u && (!hasFocus || lit > 0u);
      bool ahead = isEdge && kind.w == 1u, frame = kind.w == 2u;
      colour = vec4(colours[ahead ? 9u : kind.x], !seen ? 0. : ahead ? 1. : frame ? .35 : bright ? (hasFocus && isEdge ? .9 : alpha) : .12 * alpha);
      gl_Position = view * vec4((place.x - .5) * 2.8, (float(kind.x) / 8. - .5) * 2., (place.y - .5) * 1.6, 1.);
      gl_PointSize = seen ? scale * (1. + float(kind.z) / 8. + (hasFocus && lit > 0u ? .6 : 0.)) : 0.;
    }`;
  const FRAGMENT = `#version 300 es
    precision mediump float; in vec4 colour; out vec4 shown; uniform bool isEdge;
    void main() { if (colour.a < .004 || !isEdge && length(gl_PointCoord - .5) > .5) discard; shown = vec4(colour.rgb * colour.a, colour.a); }`;
  const HOME = { yaw: .5, pitch: .32, distance: 3.7 };

  const NO_DAY = -2147483648, ALL_PLANES = 511;
  const FRAMES = 9 * 8; // ends of the lines around the planes

  let gl, uniforms, graph, litBuffers, arrays, lit, focus = -1, camera = { ...HOME }, scheduled = false, isDragging = false;
  let isSlow = false, frames = 0, timer = 0, writing = 0, opened = "";
  let planes = 0, slab = [0, 8];

  function decode(buffer) {
    const size = new DataView(buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    let at = 4 + size;
    const column = (kind, count) => {
      const values = new kind(buffer, at, count);
      at += Math.ceil(values.byteLength / 4) * 4;
      return values;
    };
    const decoded = { head };
    for (const [name, kind] of [["first", Uint32Array], ["last", Uint32Array], ["day", Int32Array], ["rows", Uint32Array],
      ["listing", Uint32Array], ["asset", Uint16Array], ["x", Uint16Array], ["z", Uint16Array], ["plane", Uint8Array],
      ["flags", Uint8Array]]) decoded[name] = column(kind, head.nodes);
    for (const name of ["source", "until", "target", "count", "ahead"]) decoded[name] = column(Uint32Array, head.edges);
    return decoded;
  }

  // 16 bytes a vertex: time (2 x u32), place (2 x u16), plane, the other end's plane, size, flags (u8 each).
  function vertices(count, write) {
    const bytes = new ArrayBuffer(count * 16), wide = new Uint32Array(bytes), short = new Uint16Array(bytes), small = new Uint8Array(bytes);
    for (let n = 0; n < count; n++) {
      const [first, last, x, z, ...kind] = write(n);
      wide[n * 4] = first; wide[n * 4 + 1] = last;
      short[n * 8 + 4] = x; short[n * 8 + 5] = z;
      small.set(kind, n * 16 + 12);
    }
    return bytes;
  }

  function prepare() {
    const { first, last, until, target, x, z, plane } = graph, { nodes, edges } = graph.head;
    const corners = [0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0]; // of a plane's frame: x and z of its four lines' ends
    arrays = [
      vertices(nodes, n => [first[n], last[n], x[n], z[n], plane[n], plane[n], Math.min(255, Math.log2(1 + graph.rows[n]) * 4), 0]),
      vertices(edges * 2 + FRAMES, n => {
        if (n >= edges * 2) {
          const corner = (n - edges * 2) % 8 * 2, own = n - edges * 2 >> 3;
          return [0, 4294967295, corners[corner] * 65535, corners[corner + 1] * 65535, own, own, 0, 2];
        }
        const a = until[n >> 1], b = target[n >> 1], [node, other] = n & 1 ? [b, a] : [a, b];
        const times = [Math.max(first[a], first[b]), Math.max(last[a], last[b])];
        return [...times, x[node], z[node], plane[node], plane[other], 0, graph.ahead[n >> 1] ? 1 : 0];
      }),
    ];
    lit = [new Uint8Array(nodes), new Uint8Array(edges * 2 + FRAMES)];
  }

  function shader(kind, text) {
    const made = gl.createShader(kind);
    gl.shaderSource(made, text);
    gl.compileShader(made);
    return made;
  }

  function upload() {
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) || "no program");
    gl.useProgram(program);
    const known = {};
    uniforms = name => known[name] ??= gl.getUniformLocation(program, name);
    litBuffers = arrays.map((bytes, n) => {
      const made = gl.createVertexArray(), marks = gl.createBuffer();
      gl.bindVertexArray(made);
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
      gl.vertexAttribIPointer(0, 2, gl.UNSIGNED_INT, 16, 0);
      gl.vertexAttribPointer(1, 2, gl.UNSIGNED_SHORT, true, 16, 8);
      gl.vertexAttribIPointer(2, 4, gl.UNSIGNED_BYTE, 16, 12);
      gl.bindBuffer(gl.ARRAY_BUFFER, marks);
      gl.bufferData(gl.ARRAY_BUFFER, lit[n], gl.DYNAMIC_DRAW);
      gl.vertexAttribIPointer(3, 1, gl.UNSIGNED_BYTE, 1, 0);
      for (let place = 0; place < 4; place++) gl.enableVertexAttribArray(place);
      return { made, marks };
    });
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    paint();
  }

  function paint() {
    const sheet = getComputedStyle(document.documentElement);
    const names = [...Array(9).keys()].map(n => `--plane${n + 1}`).concat("--danger");
    gl.uniform3fv(uniforms("colours"), names.flatMap(name => {
      const number = parseInt(sheet.getPropertyValue(name).trim().slice(1), 16);
      return [number >> 16 & 255, number >> 8 & 255, number & 255].map(part => part / 255);
    }));
  }

  function view() {
    const { yaw, pitch, distance } = camera, aspect = canvas.width / canvas.height;
    const c = Math.cos(yaw), s = Math.sin(yaw), d = Math.cos(pitch), t = Math.sin(pitch), near = .1, far = 20;
    const f = 1.9 * Math.min(1, aspect / 1.3), fit = f / aspect; // on a phone, held upright, as wide as on a desk
    const rotated = [[c, -s * t, s * d], [0, d, t], [-s, -c * t, c * d]]; // columns for x, y, z
    const p = (far + near) / (near - far), q = 2 * far * near / (near - far);
    const turned = rotated.flatMap(([x, y, z]) => [x * fit, y * f, z * p, -z]);
    return new Float32Array([...turned, 0, 0, -distance * p + q, distance]);
  }

  function project(matrix, box, x, plane, z) {
    const px = (x - .5) * 2.8, py = (plane / 8 - .5) * 2, pz = (z - .5) * 1.6;
    const w = matrix[3] * px + matrix[7] * py + matrix[11] * pz + matrix[15];
    const across = (matrix[0] * px + matrix[4] * py + matrix[8] * pz + matrix[12]) / w;
    const down = (matrix[1] * px + matrix[5] * py + matrix[9] * pz + matrix[13]) / w;
    return [(across + 1) / 2 * box.width, (1 - down) / 2 * box.height];
  }

  function draw() {
    scheduled = false;
    if (!gl || gl.isContextLost()) return;
    const started = performance.now(), ratio = isSlow ? .5 : Math.min(devicePixelRatio || 1, 2);
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const matrix = view(), edges = graph.head.edges, box = canvas.getBoundingClientRect();
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniformMatrix4fv(uniforms("view"), false, matrix);
    gl.uniform2ui(uniforms("range"), Number(from.value), Number(to.value));
    gl.uniform1i(uniforms("isWindow"), mode.value === "window" ? 1 : 0);
    gl.uniform1i(uniforms("hasFocus"), focus < 0 ? 0 : 1);
    gl.uniform1ui(uniforms("planes"), planes);
    gl.uniform2ui(uniforms("slab"), ...slab);
    gl.uniform1f(uniforms("scale"), ratio * (graph.head.nodes > 4000 ? 2 : graph.head.nodes > 400 ? 3 : 7));
    // Where edges lie above each other they must not add up to a white sheet.
    const passes = [[1, gl.LINES, edges * 2 + FRAMES, Math.min(.7, 12 / Math.sqrt(edges + 1))], [0, gl.POINTS, graph.head.nodes, .95]];
    for (const [n, kind, count, alpha] of passes) {
      if (n === 1 && isSlow && isDragging) continue;
      gl.bindVertexArray(litBuffers[n].made);
      gl.uniform1i(uniforms("isEdge"), n);
      gl.uniform1f(uniforms("alpha"), alpha);
      gl.drawArrays(kind, 0, count);
    }
    [...labels.children].forEach((label, plane) => {
      const [x, y] = project(matrix, box, 0, plane, 1);
      label.style.transform = `translate(${Math.max(4, x - 96).toFixed(0)}px, ${(y - 9).toFixed(0)}px)`;
    });
    if (frames++ < 3 && !isSlow) {
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits until it is drawn
      if (performance.now() - started > 50) slow();
    }
  }

  function slow() {
    isSlow = true;
    find("slow").hidden = false;
    schedule();
  }

  function schedule() {
    if (!scheduled) requestAnimationFrame(draw);
    scheduled = true;
  }

  // What is seen at the time of the sliders, which are read once for all nodes.
  function seenNow() {
    const low = mode.value === "window" ? Number(from.value) : 0, high = Number(to.value), [lowest, highest] = slab;
    const { first, last, plane } = graph;
    return n => first[n] <= high && last[n] >= low && plane[n] >= lowest && plane[n] <= highest;
  }
  const timeText = seconds => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  // Shows the state in the words, the buttons and the address, and draws it.
  function showState() {
    const isSeen = seenNow();
    let seen = 0;
    for (let n = 0; n < graph.head.nodes; n++) seen += isSeen(n);
    const times = mode.value === "window" ? `${timeText(Number(from.value))} – ${timeText(Number(to.value))}` : timeText(Number(to.value));
    status.textContent = `${times} UTC · ${seen} / ${graph.head.nodes} ${words.nodes}`;
    from.setAttribute("aria-valuetext", timeText(Number(from.value)));
    to.setAttribute("aria-valuetext", timeText(Number(to.value)));
    find("from-label").hidden = mode.value !== "window";
    chips.forEach((chip, n) => chip.setAttribute("aria-pressed", String((planes >> n & 1) === 1)));
    const shown = {
      mode: mode.value === "as-of" ? "" : mode.value, t0: mode.value === "window" ? from.value : "",
      t1: to.value === to.max ? "" : to.value, planes: planes === ALL_PLANES ? "" : chips.filter((_, n) => planes >> n & 1).map(chip => chip.dataset.plane).join("") || "0",
      slab: slab[0] === 0 && slab[1] === 8 ? "" : `${slab[0] + 1}-${slab[1] + 1}`, focus: focus < 0 ? "" : key(focus),
    };
    for (const [name, value] of Object.entries(shown)) value ? address.searchParams.set(name, value) : address.searchParams.delete(name);
    clearTimeout(writing); // a browser refuses more than some hundred changes of the address in half a minute
    writing = setTimeout(() => {
      history.replaceState(null, "", address);
      if (focus >= 0 && opened !== address.search) open(focus); // what stands beside a node is as of the time that is shown
    }, 250);
    schedule();
  }

  function key(n) {
    if (graph.head.records.length) return graph.head.records[n];
    const asset = graph.head.assets[graph.asset[n]];
    return [asset.name, graph.day[n] !== NO_DAY ? new Date(graph.day[n] * 864e5).toISOString().slice(0, 10) : "", graph.listing[n], asset.wallet].join("~");
  }

  // What a node rests on and what rests on it. Edges lead upwards and stand in the order of their targets, so a pass does
  // nearly all; the next one follows those within a plane.
  function related(start) {
    const { source, until, target } = graph, under = new Uint8Array(graph.head.nodes), over = new Uint8Array(graph.head.nodes);
    under[start] = over[start] = 1;
    const edges = target.length;
    for (let isNew = true; isNew;) {
      isNew = false;
      for (let e = edges - 1; e >= 0; e--) if (under[target[e]])
        for (let n = source[e]; n <= until[e]; n++) if (!under[n]) { under[n] = 1; isNew = true; }
      for (let e = 0; e < edges; e++) if (!over[target[e]])
        for (let n = source[e]; n <= until[e]; n++) if (over[n]) { over[target[e]] = 1; isNew = true; break; }
    }
    return [under, over];
  }

  function select(n) {
    focus = n;
    lit.forEach(marks => marks.fill(0));
    if (n >= 0) {
      const [under, over] = related(n);
      for (let m = 0; m < under.length; m++) lit[0][m] = under[m] | over[m];
      for (let e = 0; e < graph.target.length; e++) {
        let isBehind = false;
        for (let m = graph.source[e]; m <= graph.until[e] && !isBehind; m++) isBehind = over[m] > 0;
        const marked = under[graph.target[e]] || isBehind ? 1 : 0;
        lit[1][e * 2] = lit[1][e * 2 + 1] = marked;
      }
    }
    lit.forEach((marks, m) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, litBuffers[m].marks);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, marks);
    });
    showState();
    open(n);
  }

  async function open(n) {
    opened = address.search;
    if (n < 0) return panel.replaceChildren();
    const part = new URL(words.node, location.href), search = part.search = opened;
    const answer = await fetch(part, { redirect: "manual" }).catch(() => null);
    if (focus !== n || opened !== search) return; // another one was selected, or another time, meanwhile
    if (answer?.type === "opaqueredirect") return location.reload(); // to the sign-in
    if (!answer?.ok) return panel.replaceChildren(words.unread);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    panel.replaceChildren(...[...page.body.childNodes].map(child => document.adoptNode(child)));
  }

  function pick(event) {
    const box = canvas.getBoundingClientRect(), matrix = view(), isSeen = seenNow();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 14 * 14;
    for (let n = 0; n < graph.head.nodes; n++) {
      if (!isSeen(n)) continue;
      const [px, py] = project(matrix, box, graph.x[n] / 65535, graph.plane[n], graph.z[n] / 65535);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= least) [best, least] = [n, distance];
    }
    select(best);
  }

  function move(by) {
    const now = Number(to.value);
    let next = now + by * (step.value === "day" ? 86400 : 3600);
    if (step.value === "bar") {
      const others = graph.times.filter(time => by > 0 ? time > now : time < now);
      next = others.length ? others[by > 0 ? 0 : others.length - 1] : now;
    }
    to.value = next;
    showState();
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.setAttribute("aria-pressed", "false");
  }

  function start() {
    if (Number(to.value) >= Number(to.max)) to.value = from.value;
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => Number(to.value) >= Number(to.max) || document.hidden ? stop() : move(1), 1000 / Number(speed.value));
  }

  function turn(yaw, pitch, distance) {
    camera.yaw += yaw;
    camera.pitch = Math.max(-1.5, Math.min(1.5, camera.pitch + pitch));
    camera.distance = Math.max(1.2, Math.min(12, camera.distance * distance));
    schedule();
  }

  // Lights one plane, or two beside each other: the lowest that is lit; once more, the next one up.
  function lightNext(bits) {
    const lowest = planes & -planes, last = bits === 1 ? 256 : 128;
    const next = planes === ALL_PLANES || !planes ? 1 : planes === lowest * bits ? lowest * 2 : lowest;
    planes = (next > last ? 1 : next) * bits;
    showState();
  }

  const TURNS = {
    left: [-.15, 0, 1], right: [.15, 0, 1], up: [0, .12, 1], down: [0, -.12, 1], in: [0, 0, .85], out: [0, 0, 1.18],
  };
  const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", "+": "in", "-": "out", Home: "home" };
  const act = {
    ...Object.fromEntries(Object.entries(TURNS).map(([name, turned]) => [name, () => turn(...turned)])),
    home: () => { camera = { ...HOME }; schedule(); },
    back: () => move(-1), forward: () => move(1), now: () => { to.value = to.max; showState(); },
    play: () => timer ? stop() : start(), clear: () => select(-1),
    all: () => { planes = ALL_PLANES; slab = [0, 8]; showState(); },
    solo: () => lightNext(1), pair: () => lightNext(3),
    slab: () => {
      const bits = [...Array(9).keys()].filter(n => planes >> n & 1);
      slab = slab[0] || slab[1] < 8 || !bits.length ? [0, 8] : [bits[0], bits[bits.length - 1]];
      showState();
    },
  };

  function listen() {
    space.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (button?.dataset.act) act[button.dataset.act]();
      if (button?.dataset.plane) { planes ^= 1 << Number(button.dataset.plane) - 1; showState(); }
    });
    // Keys count only while the focus is in here, so that they take none from a reader (WCAG 2.1.4).
    space.addEventListener("keydown", event => {
      const isField = event.target.closest("input, select");
      if (event.altKey || event.ctrlKey || event.metaKey || isField && !/^[1-9]$/.test(event.key)) return;
      if (/^[1-9]$/.test(event.key)) { planes ^= 1 << Number(event.key) - 1; showState(); }
      else if (KEYS[event.key]) act[KEYS[event.key]]();
      else if (event.key === "Escape") select(-1);
      else return;
      event.preventDefault();
    });
    for (const one of [from, to, mode]) one.addEventListener("input", () => {
      if (Number(from.value) > Number(to.value)) (one === to ? from : to).value = one.value;
      showState();
    });
    speed.addEventListener("input", () => timer && (stop(), start()));
    let pressed = null, hasMoved = false;
    canvas.addEventListener("pointerdown", event => { pressed = event; hasMoved = false; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", event => {
      if (!pressed) return;
      const x = event.clientX - pressed.clientX, y = event.clientY - pressed.clientY;
      if (!hasMoved && Math.hypot(x, y) < 4) return;
      hasMoved = isDragging = true;
      turn(x * .008, y * .008, 1);
      pressed = event;
    });
    canvas.addEventListener("pointerup", event => {
      if (pressed && !hasMoved) pick(event);
      pressed = null;
      isDragging = false;
      schedule();
    });
    canvas.addEventListener("pointercancel", () => { pressed = null; isDragging = false; schedule(); });
    canvas.addEventListener("wheel", event => { event.preventDefault(); turn(0, 0, event.deltaY > 0 ? 1.1 : .9); }, { passive: false });
    canvas.addEventListener("webglcontextlost", event => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { upload(); schedule(); });
    new ResizeObserver(schedule).observe(canvas);
    const recolour = () => { paint(); schedule(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
    new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  function histogram() {
    const bins = new Array(120).fill(0), low = Number(to.min), span = Math.max(1, Number(to.max) - low);
    for (const time of graph.first) bins[Math.min(119, Math.floor((time - low) / span * 120))]++;
    const most = Math.max(1, ...bins);
    find("bins").setAttribute("d", bins.map((count, n) => `M${n} 20v${-20 * Math.sqrt(count / most)}h1V20z`).join(""));
  }

  function restore() {
    const query = address.searchParams, low = graph.times[0], high = graph.latest;
    for (const one of [from, to]) [one.min, one.max] = [low, high];
    // As the server reads it (`relations4d/filters.py`): anything else is no time.
    const instant = (text, otherwise) => {
      const isText = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text);
      const seconds = /^\d+$/.test(text) ? Number(text) : isText ? Date.parse(`${text}Z`) / 1000 : NaN;
      return Number.isFinite(seconds) ? seconds : otherwise;
    };
    from.value = instant(query.get("t0"), low);
    to.value = instant(query.get("t1"), high);
    mode.value = query.get("mode") === "window" ? "window" : "as-of";
    const digits = query.getAll("planes").join(""), lit = digits.replace(/[^1-9]/g, "");
    planes = [...lit].reduce((mask, digit) => mask | 1 << Number(digit) - 1, 0) || (digits.includes("0") ? 0 : ALL_PLANES);
    const cut = /^([1-9])-([1-9])$/.exec(query.get("slab") || "");
    if (cut) slab = [Number(cut[1]) - 1, Number(cut[2]) - 1];
    if (words.first) { query.set("from", words.first); query.set("to", words.last); } // "the newest week" moves on
    const wanted = query.get("focus");
    if (wanted) for (let n = 0; n < graph.head.nodes && focus < 0; n++) if (key(n) === wanted) focus = n;
  }

  async function begin() {
    // Its room is there from the start, so that nothing below it moves; where nothing can be drawn, it goes.
    gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    const answer = gl && await fetch(words.columns);
    graph = answer?.ok ? decode(await answer.arrayBuffer()) : null;
    space.hidden = !graph?.head.nodes;
    if (space.hidden) return;
    graph.latest = graph.last.reduce((most, time) => Math.max(most, time), 0);
    graph.times = Float64Array.from(new Set([...graph.first, graph.latest])).sort(); // the last step ends at the end
    restore();
    prepare();
    upload();
    histogram();
    listen();
    play.hidden = speed.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const names = gl.getExtension("WEBGL_debug_renderer_info");
    if (/swiftshader|llvmpipe|software/i.test(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER))) slow();
    focus < 0 ? showState() : select(focus);
    space.dataset.ready = "yes";
  }

  begin();
})();
