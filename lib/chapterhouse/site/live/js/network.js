// A network as the run recorded it: plain steps over one sample, in double precision.
// Shapes are [channels, height, width] or [count]; values lie in one row, as in torch.

const TYPES = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array };

function unpack({ dtype, shape, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return { shape, values: new TYPES[dtype](bytes.buffer) };
}

const count = (shape) => shape.reduce((product, length) => product * length, 1);

function pointwise(change) {
  return (x) => Float64Array.from(x, change);
}

function linear(x, { weight, bias }, [outputs]) {
  const result = new Float64Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let sum = bias ? bias[o] : 0;
    for (let i = 0, at = o * x.length; i < x.length; i++) sum += weight[at + i] * x[i];
    result[o] = sum;
  }
  return result;
}

function conv2d(x, step, [outputs, rows, columns], [channels, height, width]) {
  const result = new Float64Array(outputs * rows * columns);
  const { weight, bias, kernel: [kr, kc], stride: [sr, sc], padding: [pr, pc] } = step;
  for (let o = 0, at = 0; o < outputs; o++) {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++, at++) {
        let sum = bias ? bias[o] : 0;
        for (let ch = 0; ch < channels; ch++) {
          for (let i = 0; i < kr; i++) {
            const row = r * sr - pr + i;
            if (row < 0 || row >= height) continue;
            for (let j = 0; j < kc; j++) {
              const column = c * sc - pc + j;
              if (column < 0 || column >= width) continue;
              sum += weight[((o * channels + ch) * kr + i) * kc + j]
                * x[(ch * height + row) * width + column];
            }
          }
        }
        result[at] = sum;
      }
    }
  }
  return result;
}

// `window(place, size, length)` gives where the pooled stretch begins and ends, per direction.
function pool(x, [channels, rows, columns], [, height, width], stretch, join) {
  const result = new Float64Array(channels * rows * columns);
  for (let ch = 0, at = 0; ch < channels; ch++) {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++, at++) {
        const [top, bottom] = stretch(r, 0, rows, height);
        const [left, right] = stretch(c, 1, columns, width);
        const found = [];
        for (let i = top; i < bottom; i++) {
          for (let j = left; j < right; j++) found.push(x[(ch * height + i) * width + j]);
        }
        result[at] = join(found);
      }
    }
  }
  return result;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const strided = ({ kernel, stride }) => (place, axis) =>
  [place * stride[axis], place * stride[axis] + kernel[axis]];
const adaptive = (place, axis, size, length) =>
  [Math.floor((place * length) / size), Math.ceil(((place + 1) * length) / size)];

function softmax(x) {
  const top = Math.max(...x);
  const powers = Float64Array.from(x, (v) => Math.exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

const OPERATIONS = {
  reshape: (x) => x,
  relu: pointwise((v) => Math.max(v, 0)),
  tanh: pointwise(Math.tanh),
  sigmoid: pointwise((v) => 1 / (1 + Math.exp(-v))),
  softmax,
  linear,
  conv2d,
  affine: (x, { scale, shift }) =>
    Float64Array.from(x, (v, i) => v * scale[scale.length > 1 ? i : 0]
      + shift[shift.length > 1 ? i : 0]),
  max_pool2d: (x, step, to, from) => pool(x, to, from, strided(step), (v) => Math.max(...v)),
  avg_pool2d: (x, step, to, from) => pool(x, to, from, strided(step), mean),
  adaptive_avg_pool2d: (x, step, to, from) => pool(x, to, from, adaptive, mean),
};

class Network {
  constructor(record) {
    const weights = unpack(record.weights).values;
    const tensors = ["weight", "bias", "scale", "shift"];
    this.input = record.input;
    this.classes = record.classes;
    this.steps = record.steps.map((step) => ({
      ...step,
      ...Object.fromEntries(tensors.filter((name) => name in step).map((name) => {
        const [begin, length] = step[name];
        return [name, weights.subarray(begin, begin + length)];
      })),
    }));
    const inputs = unpack(record.examples.inputs);
    const outputs = unpack(record.examples.outputs);
    const [samples] = inputs.shape;
    const cut = ({ values }, i) =>
      values.subarray((i * values.length) / samples, ((i + 1) * values.length) / samples);
    this.examples = Array.from({ length: samples }, (_, i) => ({
      input: cut(inputs, i),
      output: cut(outputs, i),
      label: record.examples.labels?.[i],
    }));
    this.brightest = inputs.values instanceof Uint8Array ? 255 : 1;
  }

  // The result of every step, in order.
  trace(input) {
    const results = [];
    let values = input;
    let shape = this.input;
    for (const step of this.steps) {
      values = OPERATIONS[step.op](values, step, step.shape, shape);
      shape = step.shape;
      results.push(values);
    }
    return results;
  }

  run(input) {
    return this.trace(input).at(-1);
  }

  // The largest distance between what this page computes for the examples and what torch did.
  difference() {
    let largest = 0;
    for (const { input, output } of this.examples) {
      this.run(input).forEach((value, i) => {
        const distance = Math.abs(value - output[i]);
        largest = distance > largest || Number.isNaN(distance) ? distance : largest;
      });
    }
    return largest;
  }
}
