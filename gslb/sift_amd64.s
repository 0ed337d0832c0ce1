//go:build !purego

#include "textflag.h"

// ROW leaves in X4 to X7 whose draws have a one in the next bit. The client's own bit, which is shifted out of R10, says which half of the low row.
#define ROW \
	MOVQ  R10, R11; \
	SHRQ  $63, R11; \
	SHLQ  $6, R11; \
	ADDQ  R10, R10; \
	MOVOU (R8)(R11*1), X4; \
	MOVOU 16(R8)(R11*1), X5; \
	MOVOU 32(R8)(R11*1), X6; \
	MOVOU 48(R8)(R11*1), X7; \
	MOVOU (R9), X8; \
	MOVOU 16(R9), X9; \
	MOVOU 32(R9), X10; \
	MOVOU 48(R9), X11; \
	PXOR  X8, X4; \
	PXOR  X9, X5; \
	PXOR  X10, X6; \
	PXOR  X11, X7

// KEEP keeps those of the members that are left, and goes on to the next row.
#define KEEP \
	PAND  X4, X0; \
	PAND  X5, X1; \
	PAND  X6, X2; \
	PAND  X7, X3; \
	ADDQ  $128, R8; \
	ADDQ  $64, R9

// func sift(halves *[wideHalves]uint32, all *[wideWords]uint64, low [][2][wideWords]uint64, high, done [][wideWords]uint64, client uint64) (any uint32)
//
// SSE2 alone, which every amd64 has. X0 to X3 are the members that are left. As many high rows are read as there are, as
// many low ones, and with the last of them those of done.
TEXT ·sift(SB), NOSPLIT, $0-100
	MOVQ  halves+0(FP), DI
	MOVQ  all+8(FP), SI
	MOVQ  low_base+16(FP), R8
	MOVQ  high_base+40(FP), R9
	MOVQ  high_len+48(FP), CX
	MOVQ  done_base+64(FP), R12
	MOVQ  done_len+72(FP), R13
	MOVQ  client+88(FP), R10
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	SUBQ  R13, CX // those before
	JLE   last

bit:
	ROW
	KEEP
	DECQ  CX
	JNZ   bit

last:
	TESTQ R13, R13
	JLE   tell

needed:
	ROW
	MOVOU (R12), X8
	MOVOU 16(R12), X9
	MOVOU 32(R12), X10
	MOVOU 48(R12), X11
	POR   X8, X4
	POR   X9, X5
	POR   X10, X6
	POR   X11, X7
	KEEP
	ADDQ  $64, R12
	DECQ  R13
	JNZ   needed

tell:
	MOVOU    X0, (DI)
	MOVOU    X1, 16(DI)
	MOVOU    X2, 32(DI)
	MOVOU    X3, 48(DI)
	PXOR     X4, X4
	PCMPEQL  X4, X0 // all ones where nobody is left
	PCMPEQL  X4, X1
	PCMPEQL  X4, X2
	PCMPEQL  X4, X3
	PACKSSLW X1, X0
	PACKSSLW X3, X2
	PACKSSWB X2, X0
	PMOVMSKB X0, AX
	XORL     $0xffff, AX
	MOVL     AX, any+96(FP)
	RET
