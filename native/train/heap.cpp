#include "train/heap.h"

#include <cstdlib>  // defines __GLIBC__
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace ldlm {

void keep_freed_memory() {
#ifdef __GLIBC__
  // Both or none: setting one stops glibc from adapting the other.
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

}  // namespace ldlm
