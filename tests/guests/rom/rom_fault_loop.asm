; Firmware that does nothing but fault: a PC resets on a triple fault, so it faults for ever.
%include "rom.inc"
main:
    call flat_segments
    xor ax, ax
    mov ds, ax
    mov dword [0x520], 0
    mov dword [0x524], 0
    lidt [0x520]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    xor cx, cx
    div cx
ROM_END
