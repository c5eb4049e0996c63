//go:build !purego

#include "textflag.h"

// The state S0 .. S7 lives in X0 .. X7 throughout (PROTOCOL.md section 3).
//
// UPDATE absorbs X8 and X9. It runs from S7 down to S1, so that each lane
// still finds the old value of the one before it; X10 keeps the old S7 for S0.
// VAESENC key, x, y: y = AES round of x, with the round key added last.
#define UPDATE() \
	VPXOR X8, X0, X8; \
	VPXOR X9, X4, X9; \
	VMOVDQA X7, X10; \
	VAESENC X7, X6, X7; \
	VAESENC X6, X5, X6; \
	VAESENC X5, X4, X5; \
	VAESENC X9, X3, X4; \
	VAESENC X3, X2, X3; \
	VAESENC X2, X1, X2; \
	VAESENC X1, X0, X1; \
	VAESENC X8, X10, X0

// func aegisAES(sum *Sum, data *byte, chunks int, tail *[32]byte, dataBits uint64)
TEXT ·aegisAES(SB), NOSPLIT, $0-40
	MOVQ sum+0(FP), DI
	MOVQ data+8(FP), SI
	MOVQ chunks+16(FP), CX
	MOVQ tail+24(FP), DX
	MOVQ dataBits+32(FP), AX

	VMOVDQU ·initial+0(SB), X0
	VMOVDQU ·initial+16(SB), X1
	VMOVDQU ·initial+32(SB), X2
	VMOVDQU ·initial+48(SB), X3
	VMOVDQU ·initial+64(SB), X4
	VMOVDQU ·initial+80(SB), X5
	VMOVDQU ·initial+96(SB), X6
	VMOVDQU ·initial+112(SB), X7

	TESTQ CX, CX
	JZ    tail

	PCALIGN $32
loop:
	VMOVDQU (SI), X8
	VMOVDQU 16(SI), X9
	UPDATE()
	ADDQ $32, SI
	DECQ CX
	JNZ  loop

tail:
	TESTQ DX, DX
	JZ    finish
	VMOVDQU (DX), X8
	VMOVDQU 16(DX), X9
	UPDATE()

finish:
	VMOVQ AX, X11
	VPXOR X2, X11, X11
	MOVQ  $7, CX

last:
	VMOVDQA X11, X8
	VMOVDQA X11, X9
	UPDATE()
	DECQ CX
	JNZ  last

	VPXOR X1, X0, X0
	VPXOR X3, X2, X2
	VPXOR X5, X4, X4
	VPXOR X2, X0, X0
	VPXOR X6, X4, X4
	VPXOR X4, X0, X0
	VMOVDQU X0, (DI)
	VZEROUPPER
	RET
