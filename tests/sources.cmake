# Tests of the sources and of what builds them. They build for themselves, so one tree runs them.

server_test(coverage_test.py clang llvm-cov llvm-profdata)
server_test(build_test.py)

set(format ON)
find_tool(format clang-format format)
if(format)
  file(GLOB_RECURSE c_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.[ch]
    ${CMAKE_SOURCE_DIR}/tests/*.[ch] ${CMAKE_SOURCE_DIR}/bench/*.[ch])
  add_test(NAME format COMMAND ${TOOL_clang_format} --dry-run --Werror ${c_files})
endif()
