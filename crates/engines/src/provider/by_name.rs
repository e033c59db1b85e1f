//! ONNX Runtime's own list of providers, and its way of adding one by name, which needs no knowledge of the provider.

use std::ffi::{CStr, CString, c_char, c_int};

use ort::AsPointer;
use ort::session::builder::SessionBuilder;

use super::ProviderOptions;

/// The providers that the loaded library was built with, by the runtime's names. Whether one works on this machine shows
/// when it is used.
///
/// # Errors
/// When the library does not tell.
pub(crate) fn built_in() -> ort::Result<Vec<String>> {
    let api = ort::api();
    let (mut names, mut count): (*mut *mut c_char, c_int) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers are valid for a write; the library sets them to a list of its own and the list's length.
    unsafe { ort::Error::result_from_status((api.GetAvailableProviders)(&mut names, &mut count)) }?;
    let mut found = Vec::new();
    if !names.is_null() {
        for index in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: the list has `count` entries, each a text that ends in a zero byte and lives until it is released.
            let name = unsafe { CStr::from_ptr(*names.add(index)) };
            found.push(name.to_string_lossy().into_owned());
        }
        // SAFETY: the list comes from the library with this length, and no name is borrowed any more.
        unsafe { ort::Error::result_from_status((api.ReleaseAvailableProviders)(names, count)) }?;
    }
    Ok(found)
}

/// Adds a provider to a session's options by the name that the runtime knows it by.
///
/// # Errors
/// In the runtime's own words, when it knows no such provider, was built without it, or refuses an option.
pub(super) fn append(builder: &mut SessionBuilder, name: &str, options: &ProviderOptions) -> ort::Result<()> {
    let name = text(name)?;
    let options = Texts::of(options)?;
    let (keys, values) = options.pointers();
    // SAFETY: the builder's options are valid while it is borrowed; name, keys and values end in zero bytes, live until the
    // call returns, and the library copies them; both lists have the length that is told.
    unsafe {
        ort::Error::result_from_status((ort::api().SessionOptionsAppendExecutionProvider)(
            builder.ptr_mut(),
            name.as_ptr(),
            keys.as_ptr(),
            values.as_ptr(),
            keys.len(),
        ))
    }
}

/// Defines a function that adds a provider which the runtime does not take by its name, though its options are keys and
/// values as well.
macro_rules! by_its_own_way {
    ($(#[$about:meta])* $name:ident, $create:ident, $update:ident, $release:ident, $append:ident) => {
        $(#[$about])*
        ///
        /// # Errors
        /// In the runtime's own words, when it was built without it, or refuses an option.
        pub(super) fn $name(builder: &mut SessionBuilder, options: &ProviderOptions) -> ort::Result<()> {
            let api = ort::api();
            let options = Texts::of(options)?;
            let (keys, values) = options.pointers();
            let mut made = std::ptr::null_mut();
            // SAFETY: the pointer is valid for a write.
            unsafe { ort::Error::result_from_status((api.$create)(&mut made)) }?;
            // SAFETY: `made` is an object of the library until it is released below; keys and values end in zero bytes, live
            // until the call returns, and the library copies them; the builder's options are valid while it is borrowed.
            let added = unsafe {
                ort::Error::result_from_status((api.$update)(made, keys.as_ptr(), values.as_ptr(), keys.len()))
                    .and_then(|()| ort::Error::result_from_status((api.$append)(builder.ptr_mut(), made)))
            };
            // SAFETY: `made` is not used any more; the session's options have a copy.
            unsafe { (api.$release)(made) };
            added
        }
    };
}

by_its_own_way!(
    /// Adds Huawei's CANN.
    append_cann,
    CreateCANNProviderOptions,
    UpdateCANNProviderOptions,
    ReleaseCANNProviderOptions,
    SessionOptionsAppendExecutionProvider_CANN
);

by_its_own_way!(
    /// Adds AMD's ROCm, which versions up to 1.22 have.
    append_rocm,
    CreateROCMProviderOptions,
    UpdateROCMProviderOptions,
    ReleaseROCMProviderOptions,
    SessionOptionsAppendExecutionProvider_ROCM
);

/// Options as the library reads them.
struct Texts {
    keys: Vec<CString>,
    values: Vec<CString>,
}

impl Texts {
    fn of(options: &ProviderOptions) -> ort::Result<Self> {
        let keys = options.keys().map(|key| text(key)).collect::<ort::Result<_>>()?;
        let values = options.values().map(|value| text(value)).collect::<ort::Result<_>>()?;
        Ok(Self { keys, values })
    }

    /// The keys and the values in the same order.
    fn pointers(&self) -> (Vec<*const c_char>, Vec<*const c_char>) {
        let pointers = |texts: &[CString]| texts.iter().map(|text| text.as_ptr()).collect();
        (pointers(&self.keys), pointers(&self.values))
    }
}

fn text(text: &str) -> ort::Result<CString> {
    CString::new(text).map_err(ort::Error::wrap)
}
