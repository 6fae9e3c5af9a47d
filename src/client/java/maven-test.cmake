# Runs Maven on pom.xml and checks what it installs. -D: MVN, SETTINGS, VERSION, INTO.

set(target ${INTO}/maven)
set(installed ${INTO}/m2/nl/prymr/rochefort/rochefort-client/${VERSION}/rochefort-client-${VERSION})
file(REMOVE_RECURSE ${target} ${INTO}/m2/nl)
unset(ENV{ROCHEFORT}) # the tests against the real server are run by ctest
execute_process(COMMAND_ERROR_IS_FATAL ANY COMMAND ${MVN} --offline --batch-mode --quiet
  -Daether.offline.protocols=file --settings ${SETTINGS} -Dtarget=${target}
  -Dmaven.compiler.failOnWarning=true -Dmaven.javadoc.failOnWarnings=true
  --file ${CMAKE_CURRENT_LIST_DIR}/pom.xml install)
foreach(end .jar -sources.jar -javadoc.jar .pom)
  if(NOT EXISTS ${installed}${end})
    message(FATAL_ERROR "not installed: ${installed}${end}")
  endif()
endforeach()
file(GLOB reports ${target}/surefire-reports/*.txt)
if(NOT reports)
  message(FATAL_ERROR "Maven ran no tests")
endif()
