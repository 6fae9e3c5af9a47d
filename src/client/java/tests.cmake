# The tests of the Java client, with JUnit 5 as Debian packs it: one JVM for one class or a few.
cmake_language(DEFER CALL give_slots)

set(classpath ${JAR})
foreach(jar junit-jupiter-api junit-jupiter-engine junit-jupiter-params junit-platform-commons
    junit-platform-console junit-platform-engine junit-platform-launcher junit-platform-reporting
    opentest4j opentest4j-reporting-events apiguardian-api picocli univocity-parsers)
  find_file(JAVA_${jar} ${jar}.jar PATHS /usr/share/java NO_DEFAULT_PATH)
  mark_as_advanced(JAVA_${jar})
  if(NOT JAVA_${jar})
    message(STATUS "Left out: the tests of the Java client (no ${jar}.jar of JUnit 5)")
    return()
  endif()
  list(APPEND classpath ${JAVA_${jar}})
endforeach()
list(JOIN classpath ":" classpath)

# No -Xlint:path: the manifests of Debian's jars name jars that are not there.
java_classes(test-classes src/test/java "${classpath}" all,-path ${JAR})
add_custom_target(java_client_tests ALL
  DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/test-classes.stamp)

# java_test(<name> <class>...): runs them in one JVM.
function(java_test name)
  list(TRANSFORM ARGN PREPEND --select-class=nl.prymr.rochefort.)
  add_test(NAME client/java/${name}
    COMMAND ${Java_JAVA_EXECUTABLE} -Xmx256m
      -cp ${CMAKE_CURRENT_BINARY_DIR}/test-classes:${classpath}
      org.junit.platform.console.ConsoleLauncher --disable-banner --disable-ansi-colors
      --details=tree --fail-if-no-tests ${ARGN})
  set_tests_properties(client/java/${name} PROPERTIES TIMEOUT 300
    ENVIRONMENT "ROCHEFORT=$<TARGET_FILE:rochefort>;FAIL_DISK=$<TARGET_FILE:fail_disk>;\
LC_ALL=C.UTF-8")
endfunction()

# Against the real server
java_test(round_trip RoundTripTest)
java_test(many_values ManyValuesTest)
java_test(refusal RefusalTest BearerTokenTest)
java_test(endpoints EndpointsTest ScanTest AppenderTest)
java_test(scan_wait ScanWaitTest)
java_test(example ExampleTest)

# The other tests bring a server of their own, which is not built with a sanitizer, or preload a library
# into the real one, before which a sanitizer's library would have to be loaded.
if(NOT ROCHEFORT_SANITIZE STREQUAL "none")
  return()
endif()

java_test(appender_wait AppenderWaitTest)
java_test(scan_reply ScanReplyTest)
java_test(sync SyncTest)
java_test(json JsonTest)
java_test(broken_reply BrokenReplyTest WrongReplyTest)
java_test(connect ConnectTest)
java_test(dying_server DyingServerTest)
java_test(many_threads ManyThreadsTest)
java_test(stale_connection StaleConnectionTest)
set_tests_properties(client/java/stale_connection PROPERTIES TIMEOUT 900) # a thorough run
java_test(framing FramingTest)
java_test(tls TlsTest)
java_test(early_answer EarlyAnswerTest)
java_test(limits LimitsTest)
java_test(close CloseTest)
java_test(outcome OutcomeTest)
java_test(iterator_interrupted IteratorInterruptedTest)
java_test(append_once AppendOnceTest)
java_test(exactly_once ExactlyOnceTest)

find_program(JAVADOC javadoc HINTS ${Java_JAVAC_EXECUTABLE}/.. REQUIRED)
add_test(NAME client/java/javadoc
  COMMAND ${JAVADOC} -quiet --release 11 -encoding UTF-8 -Xdoclint:all -Werror
    -d ${CMAKE_CURRENT_BINARY_DIR}/javadoc --source-path ${CMAKE_CURRENT_SOURCE_DIR}/src/main/java
    nl.prymr.rochefort)

# Maven, offline, with the plug-ins that Debian packs. Debian's versions change with each release, and
# beside them it has names of older ones that only refer to them: what is installed is where a jar is.
find_program(MVN mvn)
if(NOT MVN)
  message(STATUS "Left out: client/java/maven (no mvn)")
  return()
endif()
set(DEBIAN_MAVEN_REPO /usr/share/maven-repo)
set(DEBIAN_MAVEN_VERSIONS "")
foreach(plugin compiler install jar javadoc resources source surefire junit)
  set(property ${plugin}.plugin.version)
  set(folder org/apache/maven/plugins/maven-${plugin}-plugin)
  if(plugin STREQUAL "junit")
    set(property junit.version)
    set(folder org/junit/jupiter/junit-jupiter-api)
  endif()
  file(GLOB jars RELATIVE ${DEBIAN_MAVEN_REPO}/${folder} ${DEBIAN_MAVEN_REPO}/${folder}/*/*.jar)
  list(FILTER jars INCLUDE REGEX "^[0-9]")
  if(NOT jars)
    message(STATUS "Left out: client/java/maven (no ${folder} in ${DEBIAN_MAVEN_REPO})")
    return()
  endif()
  list(SORT jars COMPARE NATURAL ORDER DESCENDING)
  list(GET jars 0 jar)
  get_filename_component(version ${jar} DIRECTORY)
  string(APPEND DEBIAN_MAVEN_VERSIONS "        <${property}>${version}</${property}>\n")
endforeach()
configure_file(maven-settings.xml.in maven-settings.xml @ONLY)
add_test(NAME client/java/maven
  COMMAND ${CMAKE_COMMAND} -DMVN=${MVN} -DSETTINGS=${CMAKE_CURRENT_BINARY_DIR}/maven-settings.xml
    -DVERSION=${PROJECT_VERSION} -DINTO=${CMAKE_CURRENT_BINARY_DIR}
    -P ${CMAKE_CURRENT_SOURCE_DIR}/maven-test.cmake)
set_tests_properties(client/java/maven PROPERTIES TIMEOUT 600)
