; What the PVH entry promises (Xen's docs/misc/pvh.pandoc): protected mode without paging,
; interrupts off, and CR4 clear. (That the segments are flat, every guest here relies on.)
%include "pvh.inc"
main:
    pushfd
    pop eax
    test eax, 1 << 9
    FAIL_IF nz, "interrupts are on"
    mov eax, cr0
    and eax, 0x80000001
    cmp eax, 1
    FAIL_IF ne, "not protected mode without paging"
    mov eax, cr4
    test eax, eax
    FAIL_IF nz, "CR4 is not clear"
    SAY "as promised"
    ret
