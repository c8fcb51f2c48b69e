# Targets for a prebuilt libtorch under LDLM_TORCH_ROOT: `ldlm_torch` (headers and libraries) and `ldlm_openmp`.
# TorchConfig.cmake is not used: unhinted it finds a distribution's old torch, and a CUDA wheel's wants a whole toolkit.

set(LDLM_TORCH_ROOT "" CACHE PATH "Folder of a libtorch: holds lib/ and include/")
if(NOT EXISTS "${LDLM_TORCH_ROOT}/include/ATen/ATen.h")
  message(FATAL_ERROR "LDLM_TORCH_ROOT must be a libtorch folder with include/ATen/ATen.h, got '${LDLM_TORCH_ROOT}'. `ldlm build` finds or fetches one.")
endif()

add_library(ldlm_torch INTERFACE)
target_include_directories(ldlm_torch SYSTEM INTERFACE
  "${LDLM_TORCH_ROOT}/include" "${LDLM_TORCH_ROOT}/include/torch/csrc/api/include")
set(LDLM_TORCH_LIBRARIES torch_cpu c10)
if(LDLM_CUDA)
  list(APPEND LDLM_TORCH_LIBRARIES torch_cuda c10_cuda)
  # A wheel keeps the CUDA headers beside torch.
  set(LDLM_WHEEL_CUDA_ROOT "${LDLM_TORCH_ROOT}/../nvidia/cu13")
  if(EXISTS "${LDLM_WHEEL_CUDA_ROOT}/include")
    target_include_directories(ldlm_torch SYSTEM INTERFACE "${LDLM_WHEEL_CUDA_ROOT}/include")
  endif()
endif()
# --no-as-needed: torch_cuda registers its kernels from static initialisers; no symbol of it is referenced directly.
target_link_options(ldlm_torch INTERFACE "-Wl,--no-as-needed" "-Wl,--allow-shlib-undefined")
foreach(name IN LISTS LDLM_TORCH_LIBRARIES)
  target_link_libraries(ldlm_torch INTERFACE "${LDLM_TORCH_ROOT}/lib/lib${name}.so")
endforeach()

# at::parallel_for is inline OpenMP code, so our files are compiled with -fopenmp, but linked to the libgomp that
# libtorch brings: a second OpenMP runtime in the process would mean a second pool of threads.
file(GLOB LDLM_TORCH_GOMP "${LDLM_TORCH_ROOT}/lib/libgomp*.so*" "${LDLM_TORCH_ROOT}/../torch.libs/libgomp*.so*")
add_library(ldlm_openmp INTERFACE)
target_compile_options(ldlm_openmp INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
if(LDLM_TORCH_GOMP)
  list(GET LDLM_TORCH_GOMP 0 LDLM_TORCH_GOMP)
  target_link_libraries(ldlm_openmp INTERFACE "${LDLM_TORCH_GOMP}")
else()
  target_link_libraries(ldlm_openmp INTERFACE gomp)
endif()
