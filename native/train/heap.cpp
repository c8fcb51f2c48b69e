#include "train/heap.h"

#include <cstdlib>  // defines __GLIBC__
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace ldlm {

void keep_freed_memory() {
#ifdef __GLIBC__
  // Both or none: setting one stops glibc from adapting the other. Before 2.35 it takes at most 32 MB for the first.
  if (mallopt(M_MMAP_THRESHOLD, 256 << 20) || mallopt(M_MMAP_THRESHOLD, 32 << 20)) mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

}  // namespace ldlm
