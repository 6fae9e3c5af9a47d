# How many tests run side by side. cmake/dev gives ctest two slots a core: a test takes two, and
# those that wait for timeouts most of the time take one, so that others run meanwhile.

set(waiting_tests http/timeouts_test.py http/shutdown_test.py http/hangup_test.py http/idle_test.py
  fault/hung_sync_test.py fault/close_test.py client/java/stale_connection)

# Gives its slots to each test of this directory; called when all of them are there.
function(give_slots)
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    if(NOT test IN_LIST waiting_tests)
      set_tests_properties(${test} PROPERTIES PROCESSORS 2)
    endif()
  endforeach()
endfunction()
