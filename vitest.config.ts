import { defineConfig } from 'vitest/config';

// Child processes that load libtorch are slow to start, so files run one after another on small machines. No test asks the real
// hub for a model that it cannot find here.
export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts', 'test/e2e/**/*.test.ts'],
    globalSetup: 'test/temporary_folder.ts',
    testTimeout: 120_000,
    env: { HF_HUB_OFFLINE: '1' },
    fileParallelism: false,
  },
});
