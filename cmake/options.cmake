# How to compile: -DCMAKE_BUILD_TYPE=Release|Debug and -DROCHEFORT_SANITIZE=none|address|thread|coverage

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(ROCHEFORT_SANITIZE none CACHE STRING "none, address (with undefined behaviour), thread or coverage")
set_property(CACHE ROCHEFORT_SANITIZE PROPERTY STRINGS none address thread coverage)

set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Werror)
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
