//! Sixteen numbers at a time, with the widest instructions that the machine at hand has.
//!
//! A kernel is written once over [`Lanes`] and compiled three times; [`Level::detect`] says at run time which
//! of them this machine can run. With fused multiply-add an element of a result is the same chain of
//! operations at 256 and at 512 bits, hence the same bits.
#![allow(
    unsafe_code,
    reason = "intrinsics; each kernel is compared with its portable form"
)]

use std::sync::OnceLock;

/// How many numbers a vector has, on every machine.
pub(crate) const LANES: usize = 16;

/// Rounds up to whole vectors.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(LANES)
}

/// Which instructions a kernel may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every machine has.
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F, and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best that this machine can run; asked once.
    pub(crate) fn detect() -> Self {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            #[cfg(target_arch = "x86_64")]
            {
                let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                if avx2 && is_x86_feature_detected!("avx512f") {
                    return Self::Avx512;
                }
                if avx2 {
                    return Self::Avx2;
                }
            }
            Self::Portable
        })
    }

    /// All that this machine can run, the portable one first.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        match Self::detect() {
            Self::Avx512 => all.extend([Self::Avx2, Self::Avx512]),
            Self::Avx2 => all.push(Self::Avx2),
            Self::Portable => {}
        }
        all
    }
}

/// Sixteen `f32`.
///
/// # Safety
/// Of every method: the machine has the instructions of the implementing type, and a pointer is good for
/// sixteen numbers (no alignment is asked).
pub(crate) trait Lanes: Copy {
    /// As many accumulators as stay in registers: rows of a tile of two vectors.
    const TILE_ROWS: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self · factor + addend`.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Lane l + lane l + 8, then + 4, + 2, + 1: the same tree everywhere.
    unsafe fn sum(self) -> f32;
    /// Whether any lane is at least `least`.
    unsafe fn any_at_least(self, least: Self) -> bool;
}

#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Lanes for Portable {
    const TILE_ROWS: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for sixteen numbers; an array of `f32` has the alignment of one.
        Self(unsafe { *from.cast::<[f32; LANES]>() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { *to.cast::<[f32; LANES]>() = self.0 }
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, mut addend: Self) -> Self {
        // Not `f32::mul_add`: without the instruction that is a call into the mathematical library.
        for ((sum, a), b) in addend.0.iter_mut().zip(self.0).zip(factor.0) {
            *sum += a * b;
        }
        addend
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = self.0;
        let [a, b, c, d] = [
            (a + i) + (e + m),
            (b + j) + (f + n),
            (c + k) + (g + o),
            (d + l) + (h + p),
        ];
        (a + c) + (b + d)
    }
    #[inline(always)]
    unsafe fn any_at_least(self, least: Self) -> bool {
        self.0
            .iter()
            .zip(least.0)
            .any(|(value, least)| *value >= least)
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256, __m256);

    #[inline(always)]
    unsafe fn sum_of_eight(low: __m256) -> f32 {
        // SAFETY: the caller vouches for AVX.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(low), _mm256_extractf128_ps::<1>(low));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            let one = _mm_add_ss(two, _mm_shuffle_ps::<1>(two, two));
            _mm_cvtss_f32(one)
        }
    }

    impl Lanes for Avx2 {
        const TILE_ROWS: usize = 3;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller vouches for AVX2 and FMA, here and below.
            unsafe { Self(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: and for sixteen numbers.
            unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: and for sixteen numbers.
            unsafe {
                _mm256_storeu_ps(to, self.0);
                _mm256_storeu_ps(to.add(8), self.1);
            }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                Self(
                    _mm256_fmadd_ps(self.0, factor.0, addend.0),
                    _mm256_fmadd_ps(self.1, factor.1, addend.1),
                )
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: as above.
            unsafe { sum_of_eight(_mm256_add_ps(self.0, self.1)) }
        }
        #[inline(always)]
        unsafe fn any_at_least(self, least: Self) -> bool {
            // SAFETY: as above.
            unsafe {
                let low = _mm256_cmp_ps::<_CMP_GE_OQ>(self.0, least.0);
                let high = _mm256_cmp_ps::<_CMP_GE_OQ>(self.1, least.1);
                _mm256_movemask_ps(_mm256_or_ps(low, high)) != 0
            }
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    impl Lanes for Avx512 {
        const TILE_ROWS: usize = 8;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller vouches for AVX-512F, here and below.
            unsafe { Self(_mm512_set1_ps(value)) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: and for sixteen numbers.
            unsafe { Self(_mm512_loadu_ps(from)) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: and for sixteen numbers.
            unsafe { _mm512_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: as above.
            unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: as above.
            unsafe {
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
                let low = _mm512_castps512_ps256(self.0);
                sum_of_eight(_mm256_add_ps(low, _mm256_castpd_ps(high)))
            }
        }
        #[inline(always)]
        unsafe fn any_at_least(self, least: Self) -> bool {
            // SAFETY: as above.
            unsafe { _mm512_cmp_ps_mask::<_CMP_GE_OQ>(self.0, least.0) != 0 }
        }
    }
}

/// Runs a kernel `fn kernel<V: Lanes>(…)` at a level: `dispatch!(level, kernel(a: A, b: B) -> R)`.
macro_rules! dispatch {
    ($level:expr, $kernel:ident($($name:ident: $kind:ty),* $(,)?) $(-> $result:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($name: $kind),*) $(-> $result)? {
            // SAFETY: this function runs only where AVX2 and FMA are; the rest the kernel's caller vouches for.
            unsafe { $kernel::<$crate::numeric::lanes::x86::Avx2>($($name),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512($($name: $kind),*) $(-> $result)? {
            // SAFETY: this function runs only where AVX-512F is; the rest the kernel's caller vouches for.
            unsafe { $kernel::<$crate::numeric::lanes::x86::Avx512>($($name),*) }
        }
        match $level {
            // SAFETY: the caller of `dispatch!` has checked what the kernel asks for.
            $crate::numeric::lanes::Level::Portable => unsafe {
                $kernel::<$crate::numeric::lanes::Portable>($($name),*)
            },
            // SAFETY: a level other than the portable one comes from `Level::detect`.
            #[cfg(target_arch = "x86_64")]
            $crate::numeric::lanes::Level::Avx2 => unsafe { avx2($($name),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::numeric::lanes::Level::Avx512 => unsafe { avx512($($name),*) },
        }
    }};
}
pub(crate) use dispatch;

/// Runs a safe `#[inline(always)] fn kernel(…)`, plain loops, as compiled for a level: `at_level!(level, kernel(a: A, b: B) -> R)`.
/// Without intrinsics no multiplication is fused with an addition: the bits are the same at every level.
macro_rules! at_level {
    ($level:expr, $kernel:ident($($name:ident: $kind:ty),* $(,)?) $(-> $result:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($name: $kind),*) $(-> $result)? {
            $kernel($($name),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512($($name: $kind),*) $(-> $result)? {
            $kernel($($name),*)
        }
        match $level {
            $crate::numeric::lanes::Level::Portable => $kernel($($name),*),
            // SAFETY: a level other than the portable one comes from `Level::detect`.
            #[cfg(target_arch = "x86_64")]
            $crate::numeric::lanes::Level::Avx2 => unsafe { avx2($($name),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::numeric::lanes::Level::Avx512 => unsafe { avx512($($name),*) },
        }
    }};
}
pub(crate) use at_level;
