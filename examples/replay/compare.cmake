# Runs `program` with `arguments` (separated by '|') and compares what it prints with the file
# `expected`. The last line, which says how long it took, is left out.
string(REPLACE "|" ";" arguments "${arguments}")
execute_process(COMMAND ${program} ${arguments} OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "exit code ${result}\n${output}")
endif()
string(REGEX REPLACE "\n[^\n]* events in [^\n]*\n$" "" output "${output}")
file(READ ${expected} wanted)
if(NOT output STREQUAL wanted)
  message(FATAL_ERROR "printed:\n${output}\n---\nexpected (${expected}):\n${wanted}")
endif()
