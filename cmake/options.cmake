# How to compile: -DCMAKE_BUILD_TYPE=Release|Debug|RelWithDebInfo,
# -DROCHEFORT_SANITIZE=none|address|thread|coverage, -DROCHEFORT_WERROR=ON

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()
set(ROCHEFORT_SANITIZE none CACHE STRING "none, address (with undefined behaviour), thread or coverage")
set_property(CACHE ROCHEFORT_SANITIZE PROPERTY STRINGS none address thread coverage)

# OFF by default: a compiler that warns of more than today's must not break somebody's build.
option(ROCHEFORT_WERROR "warnings of the C and Java compilers are errors" OFF)

# No build type defines NDEBUG: all check the same assertions.
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_MINSIZEREL "-Os")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON) # for clangd and clang-tidy
add_compile_options(-Wall -Wextra -Wshadow -Wconversion)
if(ROCHEFORT_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64)
include_directories(src)

if(ROCHEFORT_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(ROCHEFORT_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(ROCHEFORT_SANITIZE STREQUAL "coverage")
  # Counters that live in a file (relocation), so that those of a killed process count too; atomic,
  # since the count of an else is that of the whole less that of the then.
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic)
  add_compile_options("SHELL:-mllvm -runtime-counter-relocation")
  add_link_options(-fprofile-instr-generate)
elseif(NOT ROCHEFORT_SANITIZE STREQUAL "none")
  message(FATAL_ERROR "ROCHEFORT_SANITIZE is none, address, thread or coverage")
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
