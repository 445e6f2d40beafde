// Shows one step of a recording at a time. plots.py lays the pictures out and calls `startPage`.
'use strict';

const NEAR = 16;  // Addresses shown each side of the head that is followed.
const SIDE = 24;  // Steps of the sequence shown each side of the present one.
const SECONDS = 45;  // A long sequence plays no longer than this.
let page;  // The one page there is.

async function startPage(pictures) {
  const packed = JSON.parse(document.getElementById('numbers').textContent);
  const numbers = {};
  for (const name in packed) numbers[name] = await unpack(packed[name]);
  page = new Page(pictures, numbers);
  page.goTo(0);
}

// What packing.py did, backwards; differences between steps are summed up again.
async function unpack({shape, scale, type, data}) {
  const deflated = Uint8Array.from(atob(data), character => character.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream('deflate'));
  const buffer = await new Response(stream).arrayBuffer();
  const whole = type === 'int16' ? new Int16Array(buffer) : new Int32Array(buffer);
  const size = whole.length / shape[0];
  for (let i = size; i < whole.length; i++) whole[i] += whole[i - size];
  return {
    shape, size, scale,
    at: step => whole.subarray(step * size, (step + 1) * size),  // of one step, times scale
  };
}

class Page {
  constructor(pictures, numbers) {
    Object.assign(this, JSON.parse(document.getElementById('facts').textContent));
    Object.assign(this, {pictures, numbers, step: 0, pinned: null, timer: null, frame: null});
    [this.steps, this.addresses, this.width] = numbers.memory.shape;
    const on = (id, event, act) => document.getElementById(id).addEventListener(event, act);
    on('time', 'input', event => this.goTo(event.target.valueAsNumber));
    on('play', 'click', () => this.play());
    on('back', 'click', () => this.goTo(this.step - 1));
    on('on', 'click', () => this.goTo(this.step + 1));
    on('follow', 'change', () => this.draw());
    document.addEventListener('keydown', event => this.press(event));
  }

  press(event) {
    const act = {
      ' ': () => this.play(), 'f': () => document.getElementById('follow').click(),
      'ArrowLeft': () => this.goTo(this.step - 1), 'ArrowRight': () => this.goTo(this.step + 1),
      'PageUp': () => this.goTo(this.step - 10), 'PageDown': () => this.goTo(this.step + 10),
      'Home': () => this.goTo(0), 'End': () => this.goTo(this.steps - 1),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  play() {
    if (this.timer) return this.pause();
    if (this.step === this.steps - 1) this.goTo(0);
    const start = performance.now(), from = this.step;
    const pace = Math.max(4, this.steps / SECONDS) / 1000;
    const tick = now => {
      this.goTo(from + Math.floor((now - start) * pace), true);
      this.timer = this.step < this.steps - 1 ? requestAnimationFrame(tick) : this.pause();
    };
    document.getElementById('play').textContent = '❚❚';
    this.timer = requestAnimationFrame(tick);
  }

  pause() {
    cancelAnimationFrame(this.timer);
    this.timer = null;
    document.getElementById('play').textContent = '▶';
  }

  goTo(step, playing = false) {
    if (!playing && this.timer) this.pause();
    const wanted = Math.min(Math.max(step, 0), this.steps - 1);
    if (playing && wanted === this.step) return;
    this.step = wanted;
    this.pinned = playing ? this.pinned : null;
    this.draw();
  }

  // Looks at one address until the step changes.
  look(address) {
    this.pinned = Math.min(Math.max(address, 0), this.addresses - 1);
    this.draw();
  }

  // At most once a frame, however fast the slider moves.
  draw() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.drawNow(); });
  }

  drawNow() {
    const head = this.heads(this.values('solves')[0] ? 'read' : 'write')
        .reduce((one, other) => other.weight > one.weight ? other : one);
    this.drawPictures(head);
    this.tell(head);
  }

  drawPictures(head) {
    const {now, memory, weights, addresses, steps} = this.pictures;
    now.location = this.step;
    memory.data.image[0].set(scaled(this.numbers.memory, this.step));
    memory.change.emit();
    weights.data = {...weights.data, write: this.largest('write'), read: this.largest('read')};
    const all = this.addresses <= 3 * NEAR || !document.getElementById('follow').checked;
    show(addresses, all ? [0, this.addresses - 1] : around(head.address, NEAR, this.addresses));
    show(steps, around(this.step, SIDE, this.steps));
  }

  // Each head of a kind: where its attention is largest, and how large.
  heads(kind) {
    const {scale} = this.numbers[kind], weights = this.numbers[kind].at(this.step);
    return this.values(`${kind}_at`).map((address, head) => (
      {kind, head, address, weight: weights[head * this.addresses + address] / scale}));
  }

  // The largest attention of any head of a kind, by address.
  largest(kind) {
    const {scale} = this.numbers[kind], weights = this.numbers[kind].at(this.step);
    const largest = new Float64Array(this.addresses);
    weights.forEach((weight, i) => {
      const address = i % this.addresses;
      largest[address] = Math.max(largest[address], weight / scale);
    });
    return largest;
  }

  tell(head) {
    const put = (id, html) => { document.getElementById(id).innerHTML = html; };
    const address = this.pinned ?? head.address;
    document.getElementById('time').value = this.step;
    for (const place of document.querySelectorAll('.step')) place.textContent = this.step;
    put('place', `${this.step} of ${this.steps - 1}`);
    put('sentence', this.sentence(head));
    put('bits', this.bits());
    put('heads', [...this.heads('write'), ...this.heads('read')].map(describe).join(''));
    put('address', address);
    put('word', this.values('memory', address * this.width, this.width)
        .map(value => `<span>${value.toFixed(3)}</span>`).join(''));
  }

  sentence({address, weight}) {
    const item = this.values('place')[0];  // Of its phase; 0 is a marker.
    const where = `most at address ${address} (weight ${weight.toFixed(3)})`;
    const cell = this.cells[this.values('phase')[0]];
    const duty = ['encoder', 'solver'].includes(cell) ? `the ${cell}` : `the cell ${cell}`;
    const who = this.tied ? 'the model' : duty;
    if (cell === 'encoder') {
      return `${item ? `Item ${item}` : 'The marker “store”'} comes in; ${who} writes ${where}.`;
    }
    const asked = this.values('asked')[0];
    const wrong = this.values('wrong').filter(bit => bit).length;
    const verdict = !asked ? 'Nothing is asked.' :
        wrong ? `Wrong ${this.unit}s: ${wrong}.` : `All its ${this.unit}s are right.`;
    const [what, mark] = cell === 'solver' ? ['the answer', 'The marker “recall”'] :
        ['its phase', 'A marker'];
    return `${item ? `Step ${item} of ${what}` : `${mark} comes in`}; ${who} reads ${where}. ${verdict}`;
  }

  bits() {
    const dark = value => value === '' ? 'blank' : value > 0.5 ? 'one' : 'zero';
    const blank = Array(this.control).fill('');
    let rows = row('input', this.values('inputs'), dark);
    if (this.values('asked')[0]) {
      const marked = this.values('marked');
      rows += row('target', [...blank, ...this.values('targets')], dark);
      rows += row('answer', [...blank, ...this.values('answers').map(value => value.toFixed(3))],
                  (value, i) => dark(value) + (marked[i - this.control] ? ' wrong' : ''));
    }
    return rows;
  }

  // Some numbers of the present step; all of them by default.
  values(name, start = 0, count = this.numbers[name].size) {
    const {at, scale} = this.numbers[name];
    return Array.from(at(this.step).subarray(start, start + count), whole => whole / scale);
  }
}

function scaled({at, scale}, step) {
  return Float32Array.from(at(step), whole => whole / scale);
}

function describe({kind, head, address, weight}) {
  return row(`${kind} head ${head + 1}`, [`address ${address}`, weight.toFixed(3)], () => kind);
}

function row(name, values, style) {
  const cells = values.map((value, i) => `<td class="${style(value, i)}">${value}</td>`);
  return `<tr><th>${name}</th>${cells.join('')}</tr>`;
}

// 2 side + 1 places round one of `count`, moved inside them; all if there are fewer.
function around(middle, side, count) {
  const first = Math.max(0, Math.min(middle - side, count - 1 - 2 * side));
  return [first, Math.min(count - 1, first + 2 * side)];
}

function show(range, [first, last]) {
  range.setv({start: first - 0.5, end: last + 0.5});
}
