; PVH: what EBX points at (Xen's arch-x86/hvm/start_info.h): magic, version 1, a memory map whose
; first entry is RAM from 0, an RSDP with the right signature, and the command line, printed.
%include "pvh.inc"
main:
    mov ebx, [start_info]
    cmp dword [ebx], 0x336ec578
    FAIL_IF ne, "wrong magic"
    cmp dword [ebx + 4], 1
    FAIL_IF b, "version below 1"
    mov esi, [ebx + 32]            ; rsdp_paddr, low half
    cmp dword [esi], 'RSD '
    FAIL_IF ne, "no RSDP"
    cmp dword [esi + 4], 'PTR '
    FAIL_IF ne, "no RSDP"
    mov edi, [ebx + 40]            ; memmap_paddr
    cmp dword [edi], 0
    FAIL_IF ne, "the memory map does not begin at 0"
    cmp dword [edi + 16], 1
    FAIL_IF ne, "the first entry is not RAM"
    mov ecx, [ebx + 48]            ; memmap_entries
    xor eax, eax                   ; KiB of RAM below 4 GiB
.entry:
    cmp dword [edi + 16], 1
    jne .next
    cmp dword [edi + 4], 0
    jne .next
    mov edx, [edi + 8]
    shr edx, 10
    add eax, edx
.next:
    add edi, 24
    loop .entry
    call print_hex
    SAY " KiB of RAM below 4 GiB"
    mov esi, [ebx + 24]            ; cmdline_paddr
    call print
    call newline
    ret
