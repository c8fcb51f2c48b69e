// One function compiled for several vector units, chosen when the program starts (GCC and clang on x86-64 Linux).
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#define LDLM_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LDLM_VECTOR_CLONES
#endif
