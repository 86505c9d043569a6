-- Pandoc: a div's class becomes a paragraph style of the Word document or a function of report.typ.
local styles = { title = "Title", subtitle = "Subtitle", note = "Note", figure = "Captioned Figure" }

local function section(orientation)
  return pandoc.RawBlock("openxml",
    '<w:p><w:pPr><w:spacing w:before="0" w:after="0" w:line="20" w:lineRule="exact"/>' ..
    '<w:sectPr><w:pgSz w:orient="' .. orientation .. '"/></w:sectPr></w:pPr></w:p>')
end

local function wrapped(before, blocks, after)
  local all = pandoc.Blocks { before }
  all:extend(blocks)
  all:insert(after)
  return all
end

function Span(span)
  local colour = span.attributes["colour"]
  if not span.classes:includes("shape") or not colour then
    return nil
  end
  local shape = pandoc.utils.stringify(span)
  if FORMAT == "docx" then
    return pandoc.RawInline("openxml",
      '<w:r><w:rPr><w:color w:val="' .. colour .. '"/></w:rPr><w:t xml:space="preserve">' .. shape .. " </w:t></w:r>")
  end
  return pandoc.RawInline("typst", '#text(fill: rgb("#' .. colour .. '"))[' .. shape .. " ]")
end

function Div(div)
  local class = div.classes[1]
  if FORMAT == "docx" then
    if class == "wide" then
      return wrapped(section("portrait"), div.content, section("landscape"))
    elseif class == "contents" then
      return {}
    elseif styles[class] then
      return pandoc.Div(div.content, { ["custom-style"] = styles[class] })
    end
    return div.content
  end
  if class == "contents" then
    return pandoc.RawBlock("typst", "#contents")
  end
  if class == "figure" then
    class = "figure-block"
  end
  return wrapped(pandoc.RawBlock("typst", "#" .. class .. "["), div.content, pandoc.RawBlock("typst", "]"))
end
