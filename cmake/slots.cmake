# How many tests run side by side. cmake/dev gives ctest four slots a core. A test takes three. Those
# that wait for timeouts most of the time take one: they start first, and two of them at most run
# beside the others.

set(waiting_tests client/java/stale_connection http/timeouts_test.py http/shutdown_test.py
  fault/hung_sync_test.py http/memory_test.py fault/close_test.py http/closed_clients_test.py
  http/hangup_test.py base/log_thread http/response_test.py http/page_test.py http/idle_test.py
  fault/health_test.py)
set(tests_of_two_cores clang-tidy)

# Gives its slots to each test of this directory; called when all of them are there.
function(give_slots)
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    list(FIND waiting_tests ${test} place)
    if(place GREATER_EQUAL 0)
      math(EXPR lane "${place} % 2")
      math(EXPR cost "1000 - ${place}")
      set_tests_properties(${test} PROPERTIES RESOURCE_LOCK waiting-${lane} COST ${cost})
    elseif(test IN_LIST tests_of_two_cores)
      set_tests_properties(${test} PROPERTIES PROCESSORS 6)
    else()
      set_tests_properties(${test} PROPERTIES PROCESSORS 3)
    endif()
  endforeach()
endfunction()
