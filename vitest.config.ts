import { defineConfig } from 'vitest/config';

// Child processes that load libtorch are slow to start, so files run one after another on small machines.
export default defineConfig({
  test: { include: ['test/unit/**/*.test.ts', 'test/e2e/**/*.test.ts'], testTimeout: 120_000, fileParallelism: false },
});
