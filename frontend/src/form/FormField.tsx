import { ChoiceField } from "./ChoiceField.tsx";
import { EitherField } from "./EitherField.tsx";
import { FileField } from "./FileField.tsx";
import { GroupField } from "./GroupField.tsx";
import { JsonField } from "./JsonField.tsx";
import { ListField } from "./ListField.tsx";
import type { FieldProps } from "./props.ts";
import { BooleanField, NumberField, TextField } from "./ScalarFields.tsx";

export function FormField(props: FieldProps): React.ReactNode {
  const { field, ...rest } = props;
  switch (field.kind) {
    case "text":
      return <TextField field={field} {...rest} />;
    case "number":
      return <NumberField field={field} {...rest} />;
    case "boolean":
      return <BooleanField field={field} {...rest} />;
    case "choice":
      return <ChoiceField field={field} {...rest} />;
    case "list":
      return <ListField field={field} {...rest} />;
    case "group":
      return <GroupField field={field} {...rest} />;
    case "either":
      return <EitherField field={field} {...rest} />;
    case "file":
      return <FileField field={field} {...rest} />;
    case "json":
      return <JsonField field={field} {...rest} />;
  }
}
