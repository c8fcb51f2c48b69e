// The process that bench/startup.mjs times: loads a model, makes one sample, prints when it had done what, in ms since its own start.
const marks = {};
const mark = (name) => (marks[name] = performance.now());
mark('node');
const { LDLM, Tokenizer } = await import('../dist/index.js');
const { loadNative } = await import('../dist/api/native.js');
mark('modules');
loadNative();
mark('libtorch');
await Tokenizer.load(process.argv[2]);
mark('tokenizer');
const before = performance.now();
const model = await LDLM.load(process.argv[2]);
// LDLM.load reads the tokenizer once more: taken off, so that a phase is counted once.
marks.ready = performance.now() - (marks.tokenizer - marks.libtorch);
marks.loading = performance.now() - before;
await model.sample({ count: 1, steps: 2 });
mark('firstSample');
await model.dispose();
console.log(JSON.stringify({ origin: performance.timeOrigin, marks }));
