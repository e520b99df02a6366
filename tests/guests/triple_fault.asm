; An exception with no handler for it, nor for the next, nor for the next.
%include "pvh.inc"
main:
    SAY "about to triple fault"
    jmp triple_fault
