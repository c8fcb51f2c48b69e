// Training frees and takes the same blocks of memory in every step.
#pragma once

namespace ldlm {

// Tells glibc's malloc to keep freed blocks of up to 256 MB instead of returning each to the system and having it cleared again: 6 % of a small
// training step on a CPU went there. For the whole process, up to 512 MB of free memory at the top of the heap; nothing with another libc.
void keep_freed_memory();

}  // namespace ldlm
