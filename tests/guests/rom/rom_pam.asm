; The PAM registers: each of the four states of a segment (Q35 datasheet, section 5.1.13), in
; segments of 0xE0000 and in the one the code itself runs in.
%include "rom.inc"

; PAM5 (0x95): low nibble 0xE0000-0xE3FFF, high nibble 0xE4000-0xE7FFF; PAM0 (0x90): high nibble 0xF0000-0xFFFFF.
%macro PAM 2                       ; register, value
    mov eax, MCH + %1
    mov bl, %2
    call pci_write_byte
%endmacro

main:
    call flat_segments
    jmp 0xf000:.low                 ; while the code's own segment is still ROM
.low:
    mov edi, 0xe0000
    ; This ROM is 64 KiB: nothing at 0xE0000, all ones.
    PAM 0x95, 0x00
    mov dword [fs:edi], 0x11111111
    cmp dword [fs:edi], 0x11111111
    CHECK "closed: a write is dropped", ne
    PAM 0x95, 0x03
    mov dword [fs:edi], 0x22222222
    cmp dword [fs:edi], 0x22222222
    CHECK "read and write: it is RAM", e
    PAM 0x95, 0x01
    cmp dword [fs:edi], 0x22222222
    CHECK "read only: RAM is read", e
    mov dword [fs:edi], 0x33333333
    cmp dword [fs:edi], 0x22222222
    CHECK "read only: a write is dropped", e
    PAM 0x95, 0x02
    mov dword [fs:edi], 0x44444444
    cmp dword [fs:edi], 0x44444444
    CHECK "write only: RAM is not read", ne
    PAM 0x95, 0x03
    cmp dword [fs:edi], 0x44444444
    CHECK "write only: the write went to RAM", e

    ; The code's own segment: copy it to RAM in the state that reads ROM and writes RAM.
    PAM 0x90, 0x20
    mov edi, 0xf0000
    mov ecx, 0x4000
.copy:
    mov eax, [fs:edi]
    mov [fs:edi], eax
    add edi, 4
    dec ecx
    jnz .copy
    PAM 0x90, 0x30
    SAY "ok the firmware runs from its shadow"
    mov dword [dword fs:0xf0000 + patched], 0x21212121
    cmp dword [dword fs:0xf0000 + patched], 0x21212121
    CHECK "and the shadow can be written", e
    PAM 0x90, 0x00
    cmp dword [dword fs:0xf0000 + patched], 0x21212121
    CHECK "the ROM itself is as it was", ne

    ; A neighbour has a state of its own.
    PAM 0x95, 0x30
    mov dword [dword fs:0xe4000], 0x55555555
    cmp dword [dword fs:0xe4000], 0x55555555
    CHECK "the high half of a register is the next segment", e
    cmp dword [dword fs:0xe0000], 0x44444444
    CHECK "and the low half its own", ne
    ret
align 4
patched: dd 0
ROM_END
