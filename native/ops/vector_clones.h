// One function compiled for several vector units, chosen when the program starts (GCC on x86-64 Linux; elsewhere there is one version).
#pragma once

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__)
#define LDLM_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
// The same for code that names its registers: `name` calls the template `body` with the lanes of a register. In an anonymous namespace.
#define LDLM_VECTOR_UNITS(name, parameters, body, arguments)                                \
  __attribute__((target("arch=x86-64-v4"))) void name parameters { body<16> arguments; }    \
  __attribute__((target("arch=x86-64-v3"))) void name parameters { body<8> arguments; }     \
  __attribute__((target("default"))) void name parameters { body<4> arguments; }
#else
#define LDLM_VECTOR_CLONES
#define LDLM_VECTOR_UNITS(name, parameters, body, arguments) \
  void name parameters { body<4> arguments; }
#endif
