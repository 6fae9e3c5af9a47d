# A Debian package of what is built, made by cpack; `sh cmake/dev package` builds for it. The documents
# keep their places to each other, so their links work. `cmake --install` installs nothing of this.
find_program(GZIP gzip)
mark_as_advanced(GZIP)
if(NOT GZIP)
  return()
endif()
set(ROCHEFORT_CONTACT "the rochefort authors <rochefort@users.noreply.github.com>" CACHE STRING
  "who answers for the package")
set(deploy ${CMAKE_SOURCE_DIR}/src/deploy)
set(package ${CMAKE_BINARY_DIR}/package)

configure_file(${deploy}/debian/changelog.in ${package}/changelog @ONLY)
foreach(page IN ITEMS ${CMAKE_SOURCE_DIR}/src/rochefort.1 ${package}/changelog)
  cmake_path(GET page FILENAME name)
  # -n: neither name nor time in it, so the same source gives the same bytes
  execute_process(COMMAND ${GZIP} -9nc ${page} OUTPUT_FILE ${package}/${name}.gz
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/src/rochefort.1)

# Debian 12 has it below /lib, later ones below /usr/lib.
pkg_get_variable(systemd_units systemd systemdsystemunitdir)
if(NOT systemd_units)
  set(systemd_units /usr/lib/systemd/system)
endif()

# packaged(<what>... DESTINATION <folder>...): as install(), for the package alone
function(packaged)
  install(${ARGN} COMPONENT package EXCLUDE_FROM_ALL)
endfunction()

packaged(TARGETS rochefort RUNTIME DESTINATION bin)
packaged(FILES ${package}/rochefort.1.gz DESTINATION share/man/man1)
packaged(FILES ${deploy}/rochefort.service DESTINATION ${systemd_units})
packaged(FILES ${deploy}/rochefort.default DESTINATION /etc/default RENAME rochefort)
packaged(FILES ${deploy}/debian/copyright ${package}/changelog.gz DESTINATION share/doc/rochefort)
file(GLOB_RECURSE documents RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src/*.md
  ${CMAKE_SOURCE_DIR}/tests/README.md ${CMAKE_SOURCE_DIR}/bench/README.md
  ${CMAKE_SOURCE_DIR}/bench/results/*)
file(GLOB examples RELATIVE ${CMAKE_SOURCE_DIR} ${deploy}/*.conf ${deploy}/*.cfg ${deploy}/*.yml
  ${deploy}/*.sh ${deploy}/rochefort.* ${deploy}/haproxy/* ${deploy}/nginx/*)
foreach(document IN ITEMS README.md ${documents} ${examples})
  cmake_path(GET document PARENT_PATH folder)
  packaged(FILES ${CMAKE_SOURCE_DIR}/${document} DESTINATION share/doc/rochefort/${folder})
endforeach()
if(TARGET java_client)
  # As Debian has its jars: one with the version, and a link without.
  get_property(jar TARGET java_client PROPERTY JAR)
  file(CREATE_LINK rochefort-client-${PROJECT_VERSION}.jar ${package}/rochefort-client.jar SYMBOLIC)
  packaged(FILES ${jar} DESTINATION share/java RENAME rochefort-client-${PROJECT_VERSION}.jar)
  packaged(FILES ${package}/rochefort-client.jar DESTINATION share/java)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};rochefort;package;/")
set(CPACK_SET_DESTDIR ON) # two of the files are outside /usr
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_PACKAGE_CONTACT ${ROCHEFORT_CONTACT})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "HTTP server that appends values to files and answers with offsets")
set(CPACK_PACKAGE_DESCRIPTION "Push data, get a file offset: rochefort appends each value to a file, at the
speed of the disk, and answers with its offset in the file. Whoever keeps the
offset reads the value back with one disk read. It is for programs that have
a place to keep an offset, and more data than they want in a database.
.
The server is started with its data in /var/lib/rochefort. The package also
has tools that check, list and repair the files, and a client for Java.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${package}/conffiles "/etc/default/rochefort\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${deploy}/debian/postinst ${deploy}/debian/prerm
  ${deploy}/debian/postrm ${package}/conffiles)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
  GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
