; The firmware's top stands twice: below 4 GiB and below 1 MiB, and it is read-only in both places.
%include "rom.inc"
main:
    call flat_segments
    ; Still at CS base 0xFFFF0000: no far jump yet.
    mov esi, 0xffff0000
    mov edi, 0x000f0000
    mov ecx, 0x4000
.compare:
    mov eax, [fs:esi]
    cmp eax, [fs:edi]
    jne .differ
    add esi, 4
    add edi, 4
    dec ecx
    jnz .compare
.differ:
    test ecx, ecx
    CHECK "the last 64 KiB are the same in both places", e
    mov edi, 0x000ffff0
    mov eax, [fs:edi]
    mov dword [fs:edi], 0x12345678
    cmp eax, [fs:edi]
    CHECK "a write below 1 MiB does nothing", e
    mov edi, 0xfffffff0
    mov eax, [fs:edi]
    mov dword [fs:edi], 0x12345678
    cmp eax, [fs:edi]
    CHECK "a write below 4 GiB does nothing", e
    mov edi, 0x000d0000
    cmp dword [fs:edi], 0xffffffff
    CHECK "nothing stands where no ROM is", e
    jmp 0xf000:.low
.low:
    mov ax, cs
    cmp ax, 0xf000
    CHECK "the same code runs below 1 MiB", e
    ret
ROM_END
