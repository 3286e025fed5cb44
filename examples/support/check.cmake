# What the checks of the example programs have in common. `program` is the name for messages, PROGRAM the file.

function(fail)
  list(JOIN ARGN " " message)
  message(FATAL_ERROR "${program}: ${message}")
endfunction()

# The member at the path ARGN of `document`, which must be of the JSON type `type`.
function(read_member result type document)
  string(JSON found ERROR_VARIABLE error TYPE "${document}" ${ARGN})
  if(error)
    fail("no member ${ARGN}: ${error}")
  endif()
  if(NOT found STREQUAL type)
    fail("member ${ARGN} is ${found}, expected ${type}")
  endif()
  string(JSON value GET "${document}" ${ARGN})
  set(${result} "${value}" PARENT_SCOPE)
endfunction()

# Fails unless the condition ARGN holds, which starts with the name of a variable.
macro(expect)
  if(NOT (${ARGN}))
    fail("${ARGV0} is ${${ARGV0}}, expected ${ARGN}")
  endif()
endmacro()

# A run with these arguments, and those of the list `few`, ends with an error, says one line that contains `text`, and prints no results.
function(check_error text)
  execute_process(COMMAND "${PROGRAM}" ${few} --threads 1 ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE error)
  if(result EQUAL 0 OR NOT result MATCHES "^[0-9]+$")
    fail("${ARGN}: ended with ${result}, expected an exit status that is not 0")
  endif()
  string(FIND "${error}" "${text}" position)
  if(NOT error MATCHES "^[^\n]+\n$" OR position EQUAL -1)
    fail("${ARGN}: standard error is\n${error}\nexpected one line with \"${text}\"")
  endif()
  if(NOT output STREQUAL "")
    fail("${ARGN}: standard output is\n${output}\nexpected nothing")
  endif()
endfunction()
