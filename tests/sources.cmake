# Tests of the sources and of what builds them. They build for themselves, so one tree runs them.

server_test(coverage_test.py clang llvm-cov llvm-profdata)
server_test(build_test.py)
server_test(dev_test.py gdb dpkg-query)
server_test(deploy/package_test.py cpack gzip dpkg-deb dpkg-shlibdeps lintian systemd-analyze)

# find_version(<variable> <program> <version>...): the program if it is of one of these versions;
# otherwise the test <program> is there and skipped, and says why
function(find_version variable program)
  set(names "")
  foreach(version IN LISTS ARGN)
    list(APPEND names ${program}-${version})
  endforeach()
  find_program(${variable} NAMES ${names} ${program}) # the first version that is there
  set(found "none")
  if(${variable})
    execute_process(COMMAND ${${variable}} --version OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCH " version ([0-9]+)" found "${text}")
    set(found ${CMAKE_MATCH_1})
  endif()
  if(NOT found IN_LIST ARGN)
    list(JOIN ARGN " or " wanted)
    add_test(NAME ${program} COMMAND ${CMAKE_COMMAND} -E echo
      "skipped: needs ${program} ${wanted}, found: ${found}")
    set_tests_properties(${program} PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped: ")
    set(${variable} "" PARENT_SCOPE)
  endif()
endfunction()

# Versions of the formatter lay out differently; the sources are as this one does it.
find_version(CLANG_FORMAT clang-format 14)
if(CLANG_FORMAT)
  file(GLOB_RECURSE c_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.[ch]
    ${CMAKE_SOURCE_DIR}/tests/*.[ch] ${CMAKE_SOURCE_DIR}/bench/*.[ch])
  add_test(NAME clang-format COMMAND ${CLANG_FORMAT} --dry-run --Werror ${c_files})
endif()

# Each version has more checks; the sources are clean in these.
find_version(CLANG_TIDY clang-tidy 14 19)
find_program(RUN_CLANG_TIDY run-clang-tidy)
if(CLANG_TIDY AND RUN_CLANG_TIDY)
  add_test(NAME clang-tidy COMMAND ${RUN_CLANG_TIDY} -quiet -j 2 -clang-tidy-binary ${CLANG_TIDY}
    -p ${CMAKE_BINARY_DIR} -extra-arg=-Wno-ignored-optimization-argument) # gcc's
  set_tests_properties(clang-tidy PROPERTIES TIMEOUT 1200)
endif()
