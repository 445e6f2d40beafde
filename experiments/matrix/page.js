'use strict';
const matrix = JSON.parse(document.getElementById('matrix').textContent);
const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'];
const SVG = 'http://www.w3.org/2000/svg';
const number = value => value.toLocaleString('en');
const percent = share => `${(100 * share).toFixed(1)} %`;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes, text = '') {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function table(head, rows) {
  const row = (kind, texts) => element('tr', {}, ...texts.map(text => element(kind, {}, text)));
  return element('table', {}, element('thead', {}, row('th', head)),
                 element('tbody', {}, ...rows.map(texts => row('td', texts))));
}

// What stands in a cell.
function short(cell) {
  if (cell.level === 'impossible') return '×';
  if (cell.right) return `${cell.right}/${cell.seeds.length}${cell.on_many ? '†' : ''}`;
  return cell.reach >= 1000 ? `${cell.reach / 1000}k` : cell.reach || '0';
}

function inCell(model, task) {
  const name = `${model}/${task}`, cell = matrix.cells[name];
  if (!cell) return element('span', {class: 'unmeasured', title: `${name}: not measured`});
  const button = element('button', {
    class: cell.level, 'data-cell': name, 'aria-pressed': 'false',
    'aria-label': `${model} on ${task}: ${short(cell)}`, title: name}, String(short(cell)));
  button.addEventListener('click', () => { location.hash = name; open(name); });
  return button;
}

// The cells of a part, and the tasks of it that nobody has measured.
function part({title, models, tasks, todo}) {
  const names = models.map(name => element(
    'th', {scope: 'col', title: matrix.about[name] ?? name}, element('span', {}, name)));
  const rows = tasks.map(task => element(
    'tr', {}, element('th', {scope: 'row'}, task),
    ...models.map(model => element('td', {}, inCell(model, task)))));
  const cells = element('table', {}, element('thead', {}, element('tr', {}, element('td'), ...names)),
                        element('tbody', {}, ...rows));
  const others = element('p', {class: 'note'}, `Not measured yet: ${todo.join(', ')}.`);
  return element('section', {class: 'part'}, element('h2', {}, title),
                 ...(tasks.length ? [cells] : []), ...(todo.length ? [others] : []));
}

// Share right over length, a line a seed: solid of units, broken of whole sequences.
function curves(cell) {
  const lengths = Object.keys(cell.seeds[0].curve).map(Number).sort((a, b) => a - b);
  const [left, right, top, bottom] = [38, 470, 10, 190];
  const from = Math.log(lengths[0]), to = Math.log(lengths.at(-1));
  const x = length => left + (right - left) * (Math.log(length) - from) / (to - from || 1);
  const y = share => bottom - (bottom - top) * share;
  const svg = drawn('svg', {viewBox: '0 0 490 225', role: 'img', 'aria-label': 'share right by length'});
  for (const share of [0, .25, .5, .75, 1]) {
    svg.append(drawn('line', {class: 'grid', x1: left, x2: right, y1: y(share), y2: y(share)}),
               drawn('text', {x: left - 6, y: y(share) + 4, 'text-anchor': 'end'}, `${100 * share}`));
  }
  for (const length of lengths) {
    svg.append(drawn('text', {x: x(length), y: bottom + 15, 'text-anchor': 'middle'}, number(length)));
  }
  const edge = x(Math.max(cell.trained_to, lengths[0]));
  svg.append(drawn('line', {class: 'edge', x1: edge, x2: edge, y1: top, y2: bottom}),
             drawn('text', {x: (left + right) / 2, y: bottom + 31, 'text-anchor': 'middle'},
                   `length; dotted: trained up to ${number(cell.trained_to)}`));
  cell.seeds.forEach((seed, i) => {
    for (const [kind, values] of [['seed', seed.curve], ['seed whole', seed.whole]]) {
      const points = lengths.map(length => `${x(length)},${y(values[length])}`).join(' ');
      svg.append(drawn('polyline', {class: kind, points, stroke: COLOURS[i % COLOURS.length]}));
    }
  });
  return svg;
}

function seeds(cell) {
  const tests = Object.keys(cell.seeds[0].tests);
  const proofs = cell.seeds.some(seed => 'still_open' in seed);
  const head = [
    'seed', 'converged at', 'iterations', 'starts', 'ended by', 'loss',
    ...tests.flatMap(name => [`${cell.unit}s right at ${name}`, 'sequences']),
    ...(proofs ? ['proved at every length'] : [])];
  return table(head, cell.seeds.map(seed => [
    String(seed.seed), seed.converged === null ? 'never' : number(seed.converged),
    number(seed.iterations), String(seed.starts), seed.ended,
    seed.loss === null ? 'not finite' : seed.loss.toExponential(1),
    ...tests.flatMap(name => {
      const test = seed.tests[name];
      return [percent(test.units_right / test.units), `${test.sequences_right} of ${test.sequences}`];
    }), ...(proofs ? [proved(seed)] : [])]));
}

// Only seeds that are right in every test have been asked for a proof.
function proved(seed) {
  if (!('still_open' in seed)) return '';
  return seed.still_open ? `open: ${seed.still_open}` : 'yes';
}

function inWords(name, cell) {
  const [model, task] = name.split('/');
  const config = Object.entries(cell.config).map(([key, value]) =>
    `${key} ${value && typeof value === 'object' ? JSON.stringify(value) : value}`).join(', ');
  const lines = [
    `${task}: ${cell.protocol}.`,
    `Budget: ${cell.budget.minutes} minutes, ${number(cell.budget.max_iterations)} iterations; ended by ` +
      `${cell.ended}. ${number(Math.round(cell.train_seconds))} s of training, ` +
      `${number(Math.round(cell.seconds))} s with compiling and tests, on ${cell.machine}.`,
    `${model}: ${config}${cell.encoder && `, frozen encoder ${cell.encoder}`}.`,
    Object.entries(cell.versions).map(pair => pair.join(' ')).join(', ') + '.'];
  if (cell.score !== null && matrix.published[task]) {
    const others = Object.entries(matrix.published[task]).map(pair => pair.join(' ')).join(', ');
    lines.splice(1, 0, `Mean accuracy over lengths 41 to 500: ${percent(cell.score)} (best seed). ` +
                       `Delétang et al., ICLR 2023, in percent: ${others}.`);
  }
  return lines;
}

function open(name) {
  const cell = matrix.cells[name], place = document.getElementById('cell');
  if (!cell) return;
  for (const button of document.querySelectorAll('button[data-cell]')) {
    button.setAttribute('aria-pressed', String(button.dataset.cell === name));
  }
  const title = element('h2', {}, name.replace('/', ' on '));
  if (cell.impossible) {
    place.replaceChildren(title, element('p', {class: 'why'}, `Not possible: ${cell.impossible}.`));
    return;
  }
  const text = inWords(name, cell).map(line => element('p', {class: 'note'}, line));
  place.replaceChildren(title, element(
    'div', {class: 'open'}, element('div', {}, element(
      'p', {class: 'note'}, `Percent right, a colour a seed: solid ${cell.unit}s, broken whole sequences`),
      curves(cell)), element('div', {}, seeds(cell), ...text)));
}

document.getElementById('parts').append(...matrix.parts.map(part));
open(decodeURIComponent(location.hash.slice(1)));
