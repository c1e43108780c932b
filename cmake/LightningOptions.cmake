# Build options: each is printed by `lightning_db version` and compiles its feature in or out.
option(LIGHTNING_WITH_LZ4 "LZ4 block compression" ON)
option(LIGHTNING_WITH_ZSTD "zstd block compression" ON)
option(LIGHTNING_WITH_URING "io_uring for many reads at a time" ON)
option(LIGHTNING_WITH_CLI "the lightning_db binary" ON)
option(LIGHTNING_WITH_YAML "configuration from YAML files" ON)
option(LIGHTNING_BUILD_TESTS "unit, model and simulation tests" ON)
option(LIGHTNING_BUILD_BENCH "benchmarks against RocksDB, LMDB and LevelDB" OFF)
option(LIGHTNING_BUILD_EXAMPLES "the programs of examples/, run with the tests" ON)
option(LIGHTNING_PRECOMPILED_HEADERS "compile the standard headers once; OFF shows missing includes" ON)
option(LIGHTNING_WERROR "warnings are errors" OFF)
set(LIGHTNING_SANITIZE "" CACHE STRING "empty, address (with undefined), or thread")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Line tables are what backtraces need; full debug information takes a third longer to build (-g: configure with
# -DCMAKE_CXX_FLAGS=-g).
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
if(LIGHTNING_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -DNDEBUG")
endif()
find_program(LIGHTNING_CCACHE ccache)
if(LIGHTNING_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${LIGHTNING_CCACHE})
  # What ccache asks for before it works with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${LIGHTNING_CCACHE})
endif()

add_library(lightning_flags INTERFACE)
target_compile_options(lightning_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -fno-omit-frame-pointer>)
if(LIGHTNING_WERROR)
  target_compile_options(lightning_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 takes impossible paths inside std::string for real ones (GCC bugs 105329, 105651): reported, not fatal.
    target_compile_options(lightning_flags INTERFACE
      $<$<COMPILE_LANGUAGE:CXX>:-Wno-error=stringop-overflow;-Wno-error=restrict;-Wno-error=array-bounds>)
  endif()
endif()
if(LIGHTNING_PRECOMPILED_HEADERS AND LIGHTNING_CCACHE AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(lightning_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(lightning_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wthread-safety>)
endif()
if(LIGHTNING_SANITIZE STREQUAL "address")
  # Not vptr: it looks at objects through a pipe of its own, and takes them for foreign where a test leaves no file handle.
  target_compile_options(lightning_flags INTERFACE -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
  target_link_options(lightning_flags INTERFACE -fsanitize=address,undefined)
elseif(LIGHTNING_SANITIZE STREQUAL "thread")
  target_compile_options(lightning_flags INTERFACE -fsanitize=thread)
  target_link_options(lightning_flags INTERFACE -fsanitize=thread)
endif()
# Lock order and ownership are checked, and tests may plant bugs (base/planted_bug.h), everywhere but in release builds.
target_compile_definitions(lightning_flags INTERFACE
  $<$<NOT:$<CONFIG:Release>>:LIGHTNING_CHECK_LOCKS=1> $<$<NOT:$<CONFIG:Release>>:LIGHTNING_PLANTED_BUGS=1>)
