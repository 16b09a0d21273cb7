"""A pydantic model becomes a Django form that staff can fill in inside the Django admin.

`build_input_form` is the way in. The room knows nothing of jobs and steps: it takes a pydantic model class and gives a
`django.forms.Form` subclass back.

How a schema asks for another input, without importing Django::

    class Intake(BaseModel):
        table: str = Field(json_schema_extra={"format": "file"})        # an uploaded text file, UTF-8
        remarks: str = Field("", json_schema_extra={"format": "textarea"})
        token: str = Field(json_schema_extra={"format": "password"})    # like SecretStr: never shown again
"""

from django_wfe.forms.fields.registry import register_field, unregister_field
from django_wfe.forms.fields.scalars import InputField
from django_wfe.forms.forms import InputForm, build_input_form

__all__ = ["InputField", "InputForm", "build_input_form", "register_field", "unregister_field"]
