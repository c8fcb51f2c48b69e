# A shim for tools that expect node-gyp: the one build is CMakeLists.txt, driven by `ldlm build`.
# Use `node-gyp configure build`; `node-gyp rebuild` deletes build/ first and so compiles everything again.
{
  "targets": [{
    "target_name": "ldlm",
    "type": "none",
    "actions": [{
      "action_name": "cmake",
      "inputs": ["CMakeLists.txt"],
      # Never written, so the action always runs and ninja decides what is up to date.
      "outputs": ["build/native/always"],
      "action": ["node", "scripts/setup.mjs"]
    }]
  }]
}
