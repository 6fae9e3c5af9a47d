# Tests of the sources and of what builds them. They build for themselves, so one tree runs them.

server_test(coverage_test.py clang llvm-cov llvm-profdata)
server_test(build_test.py)
server_test(dev_test.py gdb dpkg-query)

# Versions of the formatter lay out differently; the sources are as this one does it.
set(format_version 14)
find_program(CLANG_FORMAT NAMES clang-format-${format_version} clang-format)
set(format_found "none")
if(CLANG_FORMAT)
  execute_process(COMMAND ${CLANG_FORMAT} --version OUTPUT_VARIABLE format_found
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
if(format_found MATCHES " version ${format_version}\\.")
  file(GLOB_RECURSE c_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.[ch]
    ${CMAKE_SOURCE_DIR}/tests/*.[ch] ${CMAKE_SOURCE_DIR}/bench/*.[ch])
  add_test(NAME format COMMAND ${CLANG_FORMAT} --dry-run --Werror ${c_files})
else()
  add_test(NAME format COMMAND ${CMAKE_COMMAND} -E echo
    "skipped: needs clang-format ${format_version}, found: ${format_found}")
  set_tests_properties(format PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped: ")
endif()
