# Which layers a layer may use: those below it on its way. A program of nothing but a whole layer and
# these must link, and layers_test.py checks the include lines against the same list.
set(layers base store work net http tools)
set(below_base "")
set(below_store base)
set(below_work store base)
set(below_net base)
set(below_http net work store base)
set(below_tools store base)

file(CONFIGURE OUTPUT nothing.c CONTENT "int main(void)\n{\n    return 0;\n}\n")
set(list "")
foreach(layer IN LISTS layers)
  # The libraries of others that this layer and those below it name.
  set(others "")
  foreach(each IN ITEMS ${layer} ${below_${layer}})
    get_target_property(named ${each} LINK_LIBRARIES)
    list(APPEND others ${named})
  endforeach()
  list(FILTER others EXCLUDE REGEX "-NOTFOUND$")
  list(REMOVE_ITEM others ${layers})
  list(REMOVE_DUPLICATES others)
  list(TRANSFORM below_${layer} REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archives)

  add_executable(${layer}_alone ${CMAKE_CURRENT_BINARY_DIR}/nothing.c)
  add_dependencies(${layer}_alone ${layer} ${below_${layer}})
  target_link_libraries(${layer}_alone PRIVATE
    "-Wl,--whole-archive,$<TARGET_FILE:${layer}>,--no-whole-archive" ${archives} ${others})
  set_target_properties(${layer}_alone PROPERTIES LINK_DEPENDS
    "$<TARGET_FILE:${layer}>;${archives}")
  add_test(NAME layers/${layer} COMMAND ${layer}_alone)

  list(JOIN below_${layer} "," below)
  list(APPEND list "${layer}:${below}")
endforeach()

list(JOIN list " " list)
server_test(layers_test.py)
set_property(TEST layers_test.py APPEND PROPERTY ENVIRONMENT "LAYERS=${list}")
