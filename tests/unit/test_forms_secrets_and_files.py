"""What a page must not show again: secrets, and files that were chosen."""

from typing import Annotated, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pydantic import Base64Bytes, Field, SecretStr

from django_wfe.forms import InputForm
from tests.support.forms.forms_browser import make_form

pytestmark = pytest.mark.unit


class TestSecrets:
    def test_a_secret_is_never_written_into_the_page(self) -> None:
        form = make_form(SecretStr, data={"value": "hush-hush"}, initial={"value": SecretStr("old-secret")})
        page = str(form)
        assert "hush-hush" not in page
        assert "old-secret" not in page
        assert "Type it again" in page

    def test_a_default_secret_is_not_mentioned(self) -> None:
        assert "swordfish" not in str(make_form(SecretStr, SecretStr("swordfish")))
        plain = Annotated[str, Field(json_schema_extra={"format": "password"})]
        assert "swordfish" not in str(make_form(plain, "swordfish"))

    def test_left_empty_it_stays_what_it_was(self) -> None:
        form = make_form(SecretStr, data={"value": ""}, initial={"value": SecretStr("old-secret")})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": "old-secret"}


class TestFiles:
    TEXT = Annotated[str, Field(json_schema_extra={"format": "file"})]

    def upload(self, content: bytes, annotation: Any = TEXT, **arguments: Any) -> InputForm:
        files = {"value": SimpleUploadedFile("table.csv", content)}
        return make_form(annotation, data={"other": "1"}, files=files, **arguments)

    def test_the_decoded_text_is_the_value(self) -> None:
        form = self.upload("a;ä\r\n".encode())
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": "a;ä\r\n"}

    def test_the_form_says_that_it_sends_files(self) -> None:
        assert make_form(self.TEXT).is_multipart()
        assert make_form(list[self.TEXT]).is_multipart()  # type: ignore[name-defined]
        assert not make_form(str).is_multipart()

    def test_a_byte_order_mark_is_no_text(self) -> None:
        form = self.upload(b"\xef\xbb\xbfid;name")
        assert form.is_valid()
        assert form.external_data == {"value": "id;name"}

    def test_a_file_that_is_no_text_is_refused_by_its_byte(self) -> None:
        form = self.upload(b"abc\xff")
        assert not form.is_valid()
        assert "byte 4 is 0xFF" in form.errors["value"][0]
        assert len(form.errors["value"]) == 1

    def test_a_file_with_a_nul_is_refused(self) -> None:
        assert "at byte 3" in self.upload(b"ab\0").errors["value"][0]

    def test_a_file_that_is_too_large_is_refused_unread(self) -> None:
        assert "at most 1048576" in self.upload(b"x" * (1024 * 1024 + 1)).errors["value"][0]

    def test_a_file_must_be_chosen_again_and_the_page_says_so(self) -> None:
        form = make_form(self.TEXT, data={"other": "1"})
        assert form.errors["value"] == ["Field required"]
        assert "Choose the file again" in str(form)

    def test_without_a_file_the_present_text_stays(self) -> None:
        form = make_form(self.TEXT, data={"other": "1"}, initial={"value": "kept"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": "kept"}

    def test_a_text_field_posted_in_place_of_a_file_is_no_file(self) -> None:
        assert make_form(self.TEXT, data={"value": "text"}).errors["value"] == ["Field required"]

    def test_base64_bytes_take_a_binary_file(self) -> None:
        binary = Annotated[Base64Bytes, Field(json_schema_extra={"format": "file"})]
        form = self.upload(b"\x00\xff", binary)
        assert form.is_valid(), form.errors
        assert getattr(form.instance, "value", None) == b"\x00\xff"
